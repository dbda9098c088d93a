#!/usr/bin/env python3
"""Writes a bare Git repository of made-up configuration, for benchmarks: the same one for the same seed.

The first commit of its branch `main` has a namespace for every hundred files, in one or two folders each, of
YAML, JSON and TOML (80, 15 and 5 %). Sizes are log-normal with half of the files below 0.4 KB and 95 % below
25 KB, up to 1 MB: those of raw configuration in "Holistic Configuration Management at Facebook" (SOSP 2015).
All files together give exactly `--keys` keys, larger files more of them; what is left of a size is in long
values. A tenth of the files is checked by one of two schemas, and valid. Each of the `--edits` commits that
follow changes one number of one small file. Prints what the first commit holds.

usage: Benchmarks/repository.py DIRECTORY [--files N] [--keys N] [--seed N] [--edits N]
"""
import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys

from documents import LARGEST_BYTES, MAKERS, WORDS, WRITERS, Pool
from schemas import DATABASE_SCHEMA, SERVICE_SCHEMA

MEDIAN_BYTES, P95_BYTES = 400, 25_000
KEY_BYTES = 40  # A file has room for a key in so many bytes.
NAMESPACE_FILES = 100
FORMATS = {"yaml": 80, "json": 15, "toml": 5}
SERVICES, DATABASES = 0.08, 0.02  # The shares of files that have a schema,
CHECKED_BYTES, CHECKED_KEYS = 300, 5  # and what they have at least.
EDITED_BYTES = 2000  # Files that are edited are not larger.
FIRST_SECOND = 1_700_000_000
PERSON = "Benchmark <benchmark@example.com>"
FOLDERS = ["production", "staging", "shared", "europe", "america", "asia", "edge", "batch"]

SETTINGS = """apiVersion: configsync/v1
name: bench
files:
  - match: "**/service*.yaml"
    schema: schemas/service.json
  - match: "**/database*.yaml"
    schema: schemas/database.json
limits: { maxKeys: %d }
"""


class Plan:
    """What a file is to be, before its values are made."""

    def __init__(self, size):
        self.size = size
        self.room = max(1, size // KEY_BYTES)
        self.keys = 1
        self.kind, self.format, self.path = "plain", "yaml", ""


def planned(chance, arguments):
    """All files, ascending by path."""
    plans = [Plan(size) for size in sizes(chance, arguments.files)]
    share_keys(chance, plans, arguments.keys)
    for plan in plans:
        plan.format = chance.choices(list(FORMATS), FORMATS.values())[0]
    choose_checked(chance, plans)
    name_files(chance, plans)
    return sorted(plans, key=lambda plan: plan.path)


def sizes(chance, count):
    """Every quantile once, so that few files have the same distribution as many."""
    spread = math.log(P95_BYTES / MEDIAN_BYTES) / statistics.NormalDist().inv_cdf(0.95)
    normal = statistics.NormalDist(math.log(MEDIAN_BYTES), spread)
    found = [
        min(LARGEST_BYTES, round(math.exp(normal.inv_cdf((index + 0.5) / count))))
        for index in range(count)]
    chance.shuffle(found)
    return found


def share_keys(chance, plans, total):
    """A key each, and the more the larger: by the root of the size, give or take."""
    if not len(plans) <= total <= sum(plan.room for plan in plans):
        sys.exit(f"repository: {len(plans)} files of these sizes can't have {total} keys")
    weights = [math.sqrt(plan.size) * chance.lognormvariate(0, 0.4) for plan in plans]

    def shares(scale):
        return [
            max(1, min(plan.room, round(scale * weight)))
            for plan, weight in zip(plans, weights)]

    low, high = 0.0, float(total)
    for _ in range(64):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(shares(middle)) <= total else (low, middle)
    counts = shares(low)
    missing = total - sum(counts)
    for plan, count in zip(plans, counts):
        plan.keys = min(plan.room, count + missing)
        missing -= plan.keys - count


def choose_checked(chance, plans):
    able = [
        plan for plan in plans
        if plan.format == "yaml" and plan.keys >= CHECKED_KEYS and plan.size >= CHECKED_BYTES]
    services, databases = round(SERVICES * len(plans)), round(DATABASES * len(plans))
    chosen = chance.sample(able, min(len(able), services + databases))
    for index, plan in enumerate(chosen):
        plan.kind = "service" if index < services else "database"


def name_files(chance, plans):
    """Folders hold files or folders, never both, and a name stands once, whatever its format."""
    count = max(1, len(plans) // NAMESPACE_FILES)
    namespaces = [f"{chance.choice(WORDS)}-{number:04d}" for number in range(count)]
    folders = [chance.sample(FOLDERS, chance.randint(1, 2)) for _ in namespaces]
    for index, plan in enumerate(plans):
        number = index % count
        stem = "-".join(chance.sample(WORDS, 2)) if plan.kind == "plain" else plan.kind
        plan.path = (
            f"{namespaces[number]}/{chance.choice(folders[number])}/"
            f"{stem}-{index // count:03d}.{plan.format}")


def made(chance, pool, plan):
    """The document of a file, and its bytes."""
    document = MAKERS[plan.kind](chance, plan.keys)
    write = WRITERS[plan.format]
    written = write(document).encode()
    missing = plan.size - len(written)
    if missing < 16 or not document.texts + document.longer:
        return document, written
    document.grow(chance, pool, missing)
    return document, write(document).encode()


class Import:
    """`git fast-import` into a new repository."""

    def __init__(self, directory):
        if os.path.isdir(directory) and os.listdir(directory):
            sys.exit(f"repository: {directory} is not empty")
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--initial-branch=main", directory], check=True)
        self.process = subprocess.Popen(
            ["git", "-C", directory, "fast-import", "--quiet", "--done", "--depth=0"],
            stdin=subprocess.PIPE)
        self.commits = 0

    def send(self, text, data=b""):
        self.process.stdin.write(text.encode() + data + b"\n")

    def commit(self, subject):
        self.commits += 1
        message = f"{subject}\n".encode()
        self.send(
            f"commit refs/heads/main\ncommitter {PERSON} {FIRST_SECOND + 60 * self.commits} +0000\n"
            f"data {len(message)}\n", message)

    def file(self, name, data):
        self.send(f"M 100644 inline {name}\ndata {len(data)}\n", data)

    def finish(self):
        self.send("done")
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit("repository: git fast-import failed")


def write(arguments):
    """The sizes of the files of the first commit, and how many have a schema."""
    chance = random.Random(arguments.seed)
    pool = Pool(chance)
    plans = planned(chance, arguments)
    target = Import(arguments.directory)
    target.commit(f"Add {arguments.files} files")
    target.file("configsync.yaml", (SETTINGS % max(1_000_000, arguments.keys)).encode())
    for name, schema in ("database", DATABASE_SCHEMA), ("service", SERVICE_SCHEMA):
        target.file(f"schemas/{name}.json", (json.dumps(schema, indent=2) + "\n").encode())
    written, small = [], []
    kept = 20 * arguments.edits / len(plans)
    for plan in plans:
        document, data = made(chance, pool, plan)
        target.file(plan.path, data)
        written.append(len(data))
        if len(data) <= EDITED_BYTES and document.numbers and chance.random() < kept:
            small.append((plan, document))
    if arguments.edits and not small:
        sys.exit("repository: there is no small file to edit")
    for _ in range(arguments.edits):
        plan, document = chance.choice(small)
        document.edit(chance)
        target.commit(f"Change {plan.path}")
        target.file(plan.path, WRITERS[plan.format](document).encode())
    target.finish()
    return written, [sum(plan.kind == kind for plan in plans) for kind in ("service", "database")]


def main():
    parser = argparse.ArgumentParser(description="Writes a repository for benchmarks.")
    parser.add_argument("directory")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edits", type=int, default=200)
    arguments = parser.parse_args()
    written, (services, databases) = write(arguments)
    written.sort()
    half, most = written[len(written) // 2], written[len(written) * 95 // 100]
    print(
        f"{len(written):,} files, {sum(written):,} bytes, {arguments.keys:,} keys;"
        f" sizes: P50 {half:,}, P95 {most:,}, largest {written[-1]:,} bytes;"
        f" {services:,} services and {databases:,} databases have schemas;"
        f" {arguments.edits:,} edits")


if __name__ == "__main__":
    main()
