#!/usr/bin/env python3
"""Many keys and many watches on one member, beside etcd 3.5.1's, in one run.

Loads keys of 256-byte values, opens watches on one of them over 100 streams, and then puts that key: prints
the memory that each server has (resident, as the kernel counts it), and how long after the put each watch
was told. The client is Python's gRPC, the same for both, and takes its share of the time.

usage: Benchmarks/scale.py [--keys N] [--watches N] [--puts N]   (re-executes itself where grpcio is)
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = os.path.join(ROOT, ".build-etcd", "clients", "etcd3", "bin", "python")
try:
    import grpc
except ImportError:
    if not os.path.exists(PYTHON):
        sys.exit("scale: grpcio is not installed; run 'make setup'")
    os.execv(PYTHON, [PYTHON, *sys.argv])

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench import PROGRAM, etcd_flags, etcd_program, free_ports  # noqa: E402

OPERATIONS = 128  # of one transaction: etcd's limit
STREAMS = 100
CHANNELS = 10
SECONDS = 600


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, value):
    """A length-delimited field, or an integer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message):
    """The numbers of the fields of a message."""
    at, found = 0, []
    while at < len(message):
        tag, at = read_varint(message, at)
        found.append(tag >> 3)
        if tag & 7 == 0:
            _, at = read_varint(message, at)
        elif tag & 7 == 2:
            size, at = read_varint(message, at)
            at += size
        else:
            sys.exit(f"scale: unexpected wire type {tag & 7}")
    return found


def read_varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def key(number):
    return b"/scale/%09d" % number


class Server:
    def __init__(self, name, command, folder):
        self.name = name
        client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
        self.address = client.removeprefix("http://")
        log = open(os.path.join(folder, name + ".log"), "w")
        self.process = subprocess.Popen(
            command + etcd_flags(name, os.path.join(folder, name), client, peer, f"{name}={peer}"),
            stdout=log, stderr=log)
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self.channels = [grpc.insecure_channel(self.address, options) for _ in range(CHANNELS)]
        grpc.channel_ready_future(self.channels[0]).result(60)
        for _ in range(100):
            try:
                self.call("KV/Put")(field(1, b"/ready") + field(2, b"1"), timeout=5)
                return
            except grpc.RpcError:
                time.sleep(0.2)
        sys.exit(f"scale: {name} does not answer")

    def call(self, method, channel=0):
        return self.channels[channel].unary_unary("/etcdserverpb." + method)

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) << 10
        return 0

    def stop(self):
        for channel in self.channels:
            channel.close()
        self.process.terminate()
        self.process.wait()


def load(server, count):
    """Seconds that it took."""
    begin = time.monotonic()
    transact, under_way = server.call("KV/Txn"), []
    for first in range(0, count, OPERATIONS):
        body = b"".join(
            field(2, field(2, field(1, key(number)) + field(2, b"x" * 256)))
            for number in range(first, min(first + OPERATIONS, count)))
        under_way.append(transact.future(body, timeout=60))
        if len(under_way) >= 32:
            under_way.pop(0).result()
    for one in under_way:
        one.result()
    return time.monotonic() - begin


class Watches:
    """Watches of one key over many streams; notes when each is told."""

    def __init__(self, server, count):
        self.count, self.created, self.told = count, 0, []
        self.lock = threading.Condition()
        self.calls = []
        for stream in range(STREAMS):
            requests = [
                field(1, field(1, key(0)))
                for _ in range(count // STREAMS + (stream < count % STREAMS))]
            threading.Thread(
                target=self.follow, args=(server, stream % CHANNELS, requests), daemon=True).start()
        self.wait(lambda: self.created == count, "every watch")

    def follow(self, server, channel, requests):
        done = threading.Event()

        def send():
            yield from requests
            done.wait()

        call = server.channels[channel].stream_stream("/etcdserverpb.Watch/Watch")(send())
        self.calls.append((call, done))
        try:
            for message in call:
                found = fields(message)
                now = time.monotonic()
                with self.lock:
                    self.created += 3 in found
                    if 11 in found:
                        self.told.append(now)
                    self.lock.notify_all()
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.CANCELLED:
                print(f"scale: a stream failed: {error.details()}", file=sys.stderr)

    def wait(self, condition, what):
        with self.lock:
            if not self.lock.wait_for(condition, SECONDS):
                sys.exit(f"scale: {what} was never seen")

    def put(self, server):
        """How long after the put each watch was told, ascending."""
        with self.lock:
            self.told = []
        begin = time.monotonic()
        server.call("KV/Put")(field(1, key(0)) + field(2, b"y" * 256), timeout=60)
        self.wait(lambda: len(self.told) >= self.count, "every event")
        return sorted(now - begin for now in self.told)

    def close(self):
        for call, done in self.calls:
            done.set()
            call.cancel()


def measure(name, command, arguments):
    folder = tempfile.mkdtemp()
    server = Server(name, command, folder)
    try:
        empty = server.memory()
        seconds = load(server, arguments.keys)
        filled = server.memory()
        watches = Watches(server, arguments.watches)
        watched = server.memory()
        rounds = [watches.put(server) for _ in range(arguments.puts)]
        watches.close()
        half, last = arguments.watches // 2, arguments.watches * 99 // 100
        return {
            "empty, MiB": empty / 2**20,
            "with the keys, MiB": filled / 2**20,
            "with the watches, MiB": watched / 2**20,
            "keys loaded, 1/s": arguments.keys / seconds,
            "told: half, ms": statistics.median(one[half] for one in rounds) * 1000,
            "told: 99 %, ms": statistics.median(one[last] for one in rounds) * 1000,
            "told: all, ms": statistics.median(one[-1] for one in rounds) * 1000,
        }
    finally:
        server.stop()
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description="Many keys and watches beside etcd's.")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--watches", type=int, default=10_000)
    parser.add_argument("--puts", type=int, default=10)
    arguments = parser.parse_args()
    theirs = measure("etcd", [etcd_program()], arguments)
    ours = measure("configsync", [PROGRAM, "server"], arguments)
    print(f"{arguments.keys} keys of 256 B, {arguments.watches} watches over {STREAMS} streams")
    print(f"{'':<24}{'etcd':>10}{'configsync':>12}{'ratio':>8}")
    for what, value in theirs.items():
        print(f"{what:<24}{value:>10.1f}{ours[what]:>12.1f}{ours[what] / value:>8.2f}")


if __name__ == "__main__":
    main()
