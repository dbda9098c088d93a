#!/usr/bin/env python3
"""Puts and ranges a second beside etcd 3.5.1's, on one machine and in one run.

h2load (nghttp2) sends the same bytes to both, in turn: a put of a key of 16 bytes and a value of 256, and
linearizable and serializable ranges of that key, over 1, 10 x 10 and 100 x 10 connections x streams, to the
leader of one member and of three. Both sync their logs to disk. Prints the median of each, and the median
of the ratios of the rounds. Ends non-zero if a request failed, or a put is not in the store afterwards.

usage: Benchmarks/bench.py [--rounds N] [--seconds S] [--members 1,3] [--loads 1x1,10x10,100x10]
                           [--operations put,range,serializable]
"""
import argparse
import json
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.join(ROOT, ".build", "release", "configsync")
KEY = b"/bench/key-00001"
VALUE_BYTES = 256
# Requests of the run that tells how many make up a round.
PROBE_REQUESTS = {"1x1": 200, "10x10": 2000, "100x10": 4000}


def field(number, value):
    """A length-delimited field of protobuf, shorter than 16 KiB."""
    size = len(value)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + value


def frame(message):
    """A gRPC message: a flag, a length, the bytes."""
    return b"\0" + struct.pack(">I", len(message)) + message


OPERATIONS = {
    "put": ("Put", frame(field(1, KEY) + field(2, b"x" * VALUE_BYTES))),
    "range": ("Range", frame(field(1, KEY))),
    "serializable": ("Range", frame(field(1, KEY) + bytes([7 << 3, 1]))),
}


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def etcd_flags(name, folder, client, peer, everyone):
    """etcd's flags, which are configsync's too."""
    return ["--name", name, "--data-dir", folder, "--initial-cluster", everyone,
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--log-level", "error"]


class Cluster:
    """Members of one program on this machine."""

    def __init__(self, name, command, count, folder):
        self.name = name
        clients, peers = free_ports(count), free_ports(count)
        self.endpoints = [f"127.0.0.1:{port}" for port in clients]
        everyone = ",".join(f"m{i}=http://127.0.0.1:{peers[i]}" for i in range(count))
        self.processes = []
        for i in range(count):
            client, peer = f"http://127.0.0.1:{clients[i]}", f"http://127.0.0.1:{peers[i]}"
            log = open(os.path.join(folder, f"{name}{i}.log"), "w")
            self.processes.append(
                subprocess.Popen(
                    command
                    + etcd_flags(
                        f"m{i}", os.path.join(folder, f"{name}{i}"), client, peer, everyone),
                    stdout=log, stderr=log))

    def status(self, endpoint):
        done = subprocess.run(
            ["etcdctl", "--endpoints", endpoint, "--command-timeout=2s", "endpoint", "status",
             "-w", "json"],
            capture_output=True, text=True, env={**os.environ, "ETCDCTL_API": "3"})
        return json.loads(done.stdout)[0]["Status"] if done.returncode == 0 else None

    def leader(self):
        for _ in range(120):
            for endpoint in self.endpoints:
                status = self.status(endpoint)
                if status and status.get("leader") == status["header"]["member_id"]:
                    return endpoint
            time.sleep(0.25)
        sys.exit(f"bench: no leader of {self.name}")

    def revision(self):
        return self.status(self.leader())["header"]["revision"]

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()


def load(endpoint, operation, shape, requests, folder):
    """Requests a second."""
    method, body = OPERATIONS[operation]
    connections, streams = shape.split("x")
    path = os.path.join(folder, "body")
    with open(path, "wb") as file:
        file.write(body)
    done = subprocess.run(
        ["h2load", "-n", str(requests), "-c", connections, "-m", streams, "-t", "1", "-d", path,
         "-H", "content-type: application/grpc", "-H", "te: trailers",
         f"http://{endpoint}/etcdserverpb.KV/{method}"],
        capture_output=True, text=True)
    finished = re.search(r"finished in .*, ([\d.]+) req/s", done.stdout)
    succeeded = re.search(r"(\d+) succeeded, 0 failed, 0 errored", done.stdout)
    if not finished or not succeeded or int(succeeded[1]) != requests:
        sys.exit(f"bench: h2load failed at {endpoint}:\n{done.stdout}{done.stderr}")
    return float(finished[1])


def measure(cluster, operation, shape, requests, folder):
    before = cluster.revision() if operation == "put" else 0
    rate = load(cluster.leader(), operation, shape, requests, folder)
    if operation == "put" and cluster.revision() - before != requests:
        sys.exit(f"bench: {cluster.name} has not stored every put")
    return rate


def compare(clusters, operation, shape, arguments, folder):
    """Rates of every round, by cluster."""
    sizes = {}
    for cluster in clusters:
        rate = measure(cluster, operation, shape, PROBE_REQUESTS.get(shape, 2000), folder)
        connections = int(shape.split("x")[0])
        sizes[cluster.name] = max(connections, int(rate * arguments.seconds))
    rates = {cluster.name: [] for cluster in clusters}
    for number in range(arguments.rounds):
        for cluster in clusters if number % 2 == 0 else reversed(clusters):
            rates[cluster.name].append(
                measure(cluster, operation, shape, sizes[cluster.name], folder))
    return rates


def etcd_program():
    found = subprocess.run(
        [os.path.join(ROOT, "Scripts", "etcd35.sh"), "etcd"], capture_output=True, text=True)
    program = found.stdout.strip() or shutil.which("etcd")
    if not program:
        sys.exit("bench: etcd is not installed; run 'make setup'")
    return program


def main():
    parser = argparse.ArgumentParser(description="Puts and ranges a second beside etcd's.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of one round")
    parser.add_argument("--members", default="1,3")
    parser.add_argument("--loads", default="1x1,10x10,100x10")
    parser.add_argument("--operations", default=",".join(OPERATIONS))
    arguments = parser.parse_args()
    if not shutil.which("h2load"):
        sys.exit("bench: h2load is not installed; run 'make setup'")
    etcd = etcd_program()
    print(f"{'members':>7} {'operation':<13} {'load':<7} {'etcd':>10} {'configsync':>12} {'ratio':>6}")
    for count in arguments.members.split(","):
        folder = tempfile.mkdtemp()
        clusters = []
        try:
            clusters.append(Cluster("etcd", [etcd], int(count), folder))
            clusters.append(Cluster("configsync", [PROGRAM, "server"], int(count), folder))
            for operation in arguments.operations.split(","):
                for shape in arguments.loads.split(","):
                    rates = compare(clusters, operation, shape, arguments, folder)
                    theirs, ours = rates["etcd"], rates["configsync"]
                    ratio = statistics.median(o / t for o, t in zip(ours, theirs))
                    print(
                        f"{count:>7} {operation:<13} {shape:<7}"
                        f" {statistics.median(theirs):>8.0f}/s {statistics.median(ours):>10.0f}/s"
                        f" {ratio:>6.2f}", flush=True)
        finally:
            for cluster in clusters:
                cluster.stop()
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
