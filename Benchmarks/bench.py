#!/usr/bin/env python3
"""Puts and ranges a second beside etcd's, on one machine and in one run.

h2load (nghttp2) sends the same bytes to all, in turn: a put of a key of 16 bytes and a value of 256, and
linearizable and serializable ranges of that key, over 1, 10 x 10 and 100 x 10 connections x streams, to the
leader of one member and of three. All sync their logs to disk; but etcd 3.5.1 alone does not wait for that, as
the first lines show (promise.py), so that puts are sent to Debian's etcd 3.4 too. Prints the median of each, and
the median of the ratios of the rounds. Ends non-zero if a request failed, or a put is not in the store afterwards.

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

from promise import DELAY_SECONDS, seconds_of_a_put

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
        # The neighbours of each differ from round to round.
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


def etcds():
    """Names and programs: 3.5, and 3.4 where it was unpacked."""
    found = [("etcd 3.5.1", etcd_program())]
    debian = subprocess.run(
        [os.path.join(ROOT, "Scripts", "etcd34.sh")], capture_output=True, text=True).stdout.strip()
    if debian:
        version = subprocess.run([debian, "--version"], capture_output=True, text=True).stdout
        found.append(("etcd " + re.search(r"etcd Version: (\S+)", version)[1], debian))
    return found


def print_promises(clusters, count):
    for cluster in clusters:
        seconds = seconds_of_a_put(cluster.processes, cluster.leader())
        if seconds is None:
            return print("syncs can't be held up here: who waits for them is not known")
        verdict = "waits" if seconds >= DELAY_SECONDS else "DOES NOT WAIT for its disk"
        print(f"{count:>7} put while a sync takes {DELAY_SECONDS} s longer: {seconds:.2f} s,"
              f" {cluster.name} {verdict}", flush=True)


def print_row(count, operation, shape, names, rates):
    ours = rates["configsync"]
    cells = []
    for name in names:
        if name not in rates:
            cells.append(f"{'':>18}")
            continue
        ratio = statistics.median(o / t for o, t in zip(ours, rates[name]))
        cells.append(f"{statistics.median(rates[name]):>10.0f}/s {ratio:>5.2f}")
    print(f"{count:>7} {operation:<13} {shape:<7} {statistics.median(ours):>10.0f}/s"
          + "".join(cells), flush=True)


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
    programs = etcds()
    names = [name for name, _ in programs]
    print(f"{'members':>7} {'operation':<13} {'load':<7} {'configsync':>12}"
          + "".join(f"{name:>12} ratio" for name in names))
    for count in arguments.members.split(","):
        folder = tempfile.mkdtemp()
        clusters = []
        try:
            for name, program in programs:
                clusters.append(Cluster(name, [program], int(count), folder))
            clusters.append(Cluster("configsync", [PROGRAM, "server"], int(count), folder))
            print_promises(clusters, count)
            for operation in arguments.operations.split(","):
                # Reads are answered alike by both.
                asked = clusters if operation == "put" else [clusters[0], clusters[-1]]
                for shape in arguments.loads.split(","):
                    rates = compare(asked, operation, shape, arguments, folder)
                    print_row(count, operation, shape, names, rates)
        finally:
            for cluster in clusters:
                cluster.stop()
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
