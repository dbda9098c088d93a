#!/usr/bin/env python3
"""Compiles a large repository and then its edits, and puts checks by a schema beside those of others.

Makes the repository (Benchmarks/repository.py) unless `--repository` names one, and prints what compile-bench
(release build) measures on it. Then some of its files that have a schema are checked by `configsync validate`,
check-jsonschema, and PyYAML's C loader with jsonschema, on one machine, in one run and in turn. Prints the
median of each, the processor's time and the peak of memory as the kernel counts them, and the median of the
ratios of the rounds. Ends non-zero if anyone finds a file that is not valid, or does not find the one that is
made so in a small run before.

usage: Benchmarks/compile.py [--repository DIRECTORY] [--files N] [--keys N] [--seed N] [--edits N]
                             [--peer-files N] [--rounds N]
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAMS = os.path.join(ROOT, ".build", "release")
PEERS = os.path.join(ROOT, ".build-bench", "peers")
PACKAGES = ["check-jsonschema==0.39.0", "jsonschema==4.26.0", "PyYAML==6.0.4"]
SCHEMA = "schemas/service.json"
SETTINGS = f"""apiVersion: configsync/v1
files:
  - match: "**/service*.yaml"
    schema: {SCHEMA}
"""
PLANTED_FILES = 20
# What would be fetched is looked for where nobody answers.
OFFLINE = {
    **dict.fromkeys(
        ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"], "http://127.0.0.1:9"),
    "no_proxy": "", "NO_PROXY": ""}


def as_peer(schema_path, names):
    """Loads and checks files in a Python that has the packages; prints what that took."""
    import jsonschema
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(schema_path) as file:
        validator = jsonschema.Draft202012Validator(
            json.load(file), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    load_seconds = check_seconds = 0.0
    invalid = []
    for name in names:
        begin = time.perf_counter()
        with open(name, "rb") as file:
            document = yaml.load(file, loader)
        loaded = time.perf_counter()
        if not validator.is_valid(document):
            invalid.append(name)
        check_seconds += time.perf_counter() - loaded
        load_seconds += loaded - begin
    print(json.dumps({
        "loader": loader.__name__, "load": load_seconds, "check": check_seconds,
        "invalid": invalid}))


class Run:
    """A program that has ended: its output, its time and its memory."""

    def __init__(self, command, folder=None):
        self.command = command
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            begin = time.monotonic()
            process = subprocess.Popen(
                command, cwd=folder, stdout=out, stderr=errors, env={**os.environ, **OFFLINE})
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds = time.monotonic() - begin
            process.returncode = self.code = os.waitstatus_to_exitcode(status)
            out.seek(0)
            errors.seek(0)
            self.output, self.errors = out.read().decode(), errors.read().decode()
        self.processor_seconds = usage.ru_utime + usage.ru_stime
        self.peak_bytes = usage.ru_maxrss << 10

    def lines(self):
        """Its output, of JSON."""
        try:
            return [json.loads(line) for line in self.output.splitlines()]
        except ValueError:
            self.fail()

    def answer(self):
        """Its output, one value of JSON, of a program that says yes or no."""
        try:
            if self.code in (0, 1):
                return json.loads(self.output)
        except ValueError:
            pass
        self.fail()

    def fail(self):
        sys.exit(
            f"compile: {self.command[0]} ended with {self.code}:\n"
            f"{self.output[:2000]}{self.errors[:2000]}")


def program(name):
    path = os.path.join(PROGRAMS, name)
    if not os.path.exists(path):
        sys.exit(f"compile: {name} is not built; 'make bench' does that")
    return path


def peer_program(name):
    ready = os.path.join(PEERS, "ready")
    if not os.path.exists(ready):
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
        subprocess.run([os.path.join(PEERS, "bin", "pip"), "install", "-q", *PACKAGES], check=True)
        open(ready, "w").close()
    return os.path.join(PEERS, "bin", name)


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-C", folder, *arguments], check=True, stdout=subprocess.PIPE,
        encoding="utf-8").stdout


def compile_bench(repository):
    """What it measured, by name, and the run."""
    run = Run([program("compile-bench"), repository])
    if run.code != 0:
        run.fail()
    return {line.pop("measure"): line for line in run.lines()}, run


def amount(name, value):
    """A number with its unit, which its name tells."""
    if name.endswith("seconds"):
        for unit, scale in ("s", 1), ("ms", 1e3):
            if value * scale >= 1:
                return f"{value * scale:,.2f} {unit}"
        return f"{value * 1e6:,.1f} µs"
    if name.endswith("bytes"):
        return f"{value / 2**20:,.1f} MiB"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def print_measures(measures, run):
    rows = [
        (measure if index == 0 else "", name.replace("_", " ").strip(), amount(name, value))
        for measure, values in measures.items()
        for index, (name, value) in enumerate(values.items())]
    rows.append(("in all", "seconds", amount("seconds", run.seconds)))
    rows.append(("", "processor seconds", amount("seconds", run.processor_seconds)))
    rows.append(("", "peak bytes", amount("bytes", run.peak_bytes)))
    print(f"{'measure':<12} {'of it':<18} {'':>14}")
    for measure, name, value in rows:
        print(f"{measure:<12} {name:<18} {value:>14}")
    print(flush=True)


class Sample:
    """A repository of some services of another one, with their schema."""

    def __init__(self, repository, count, folder):
        self.folder = folder
        listed = git(repository, "ls-tree", "-r", "-z", "--name-only", "main").split("\0")
        services = [name for name in listed if re.search(r"/service[^/]*\.yaml$", name)]
        count = min(count, len(services))
        if count == 0:
            sys.exit(f"compile: {repository} has no services")
        self.names = [services[index * len(services) // count] for index in range(count)]
        self.extract(repository)
        with open(os.path.join(folder, "configsync.yaml"), "w") as file:
            file.write(SETTINGS)
        git(folder, "init", "--quiet", "--initial-branch=main")
        self.commit()
        self.size = sum(os.path.getsize(os.path.join(folder, name)) for name in self.names)

    def extract(self, repository):
        archive = subprocess.Popen(
            ["git", "-C", repository, "archive", "main", SCHEMA, *self.names],
            stdout=subprocess.PIPE)
        with tarfile.open(fileobj=archive.stdout, mode="r|") as files:
            files.extractall(self.folder)
        archive.stdout.close()
        if archive.wait() != 0:
            sys.exit("compile: git archive failed")

    def commit(self):
        git(self.folder, "add", "--all")
        git(self.folder, "-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.com",
            "-c", "commit.gpgSign=false", "commit", "--quiet", "--message", "Add services")

    def plant(self):
        """Makes one file invalid; its name."""
        name = self.names[len(self.names) // 2]
        path = os.path.join(self.folder, name)
        with open(path) as file:
            text = file.read()
        changed = re.sub(r"^port: \d+$", "port: 0", text, count=1, flags=re.MULTILINE)
        if changed == text:
            sys.exit(f"compile: {name} has no port")
        with open(path, "w") as file:
            file.write(changed)
        return name


def configsync(sample):
    """What it calls invalid, and the run."""
    run = Run([program("configsync"), "validate", "--repo", sample.folder, "-o", "json"])
    report = run.answer()
    if report["files"] != len(sample.names):
        sys.exit(f"compile: configsync read {report['files']} files of {len(sample.names)}")
    return [one["file"] for one in report["diagnostics"] if one["severity"] == "error"], run


def check_jsonschema(sample):
    run = Run(
        [peer_program("check-jsonschema"), "--no-cache", "-o", "json", "--schemafile", SCHEMA,
         *sample.names],
        sample.folder)
    report = run.answer()
    return [one["filename"] for one in report["errors"] + report.get("parse_errors", [])], run


def python_jsonschema(sample):
    run = Run(
        [peer_program("python"), os.path.abspath(__file__), "--as-peer", SCHEMA, *sample.names],
        sample.folder)
    return run.answer()["invalid"], run


TOOLS = {
    "configsync validate": configsync,
    "check-jsonschema": check_jsonschema,
    "PyYAML, jsonschema": python_jsonschema,
}


def check_planted(repository):
    with tempfile.TemporaryDirectory() as folder:
        sample = Sample(repository, PLANTED_FILES, folder)
        planted = sample.plant()
        for name, tool in TOOLS.items():
            invalid, _ = tool(sample)
            if set(invalid) != {planted}:
                sys.exit(f"compile: {name} found {invalid}, but {planted} is invalid")


def measure(tool, sample):
    invalid, run = TOOLS[tool](sample)
    if invalid or run.code != 0:
        sys.exit(f"compile: {tool} ended with {run.code} and called invalid: {invalid[:5]}")
    return run


def measured_rounds(sample, count):
    """Of each round the runs by tool, and compile-bench's measures of the same files."""
    rounds = []
    for number in range(count):
        tools = list(TOOLS) if number % 2 == 0 else list(reversed(TOOLS))
        runs = {tool: measure(tool, sample) for tool in tools}
        rounds.append((runs, compile_bench(sample.folder)[0]))
    return rounds


def print_peers(sample, rounds):
    print(f"{len(sample.names):,} services, {amount('bytes', sample.size)}; rounds: {len(rounds)}")
    print(f"{'program':<34} {'time':>12} {'processor':>12} {'memory':>12} {'a file':>12} {'ratio':>7}")
    base = [runs["configsync validate"].seconds for runs, _ in rounds]
    for tool in TOOLS:
        runs = [runs[tool] for runs, _ in rounds]
        print_row(tool, [run.seconds for run in runs], base, sample, runs)
    loaded = [runs["PyYAML, jsonschema"].answer() for runs, _ in rounds]
    own = [measures for _, measures in rounds]
    whole = [one["full"]["seconds"] for one in own]
    print_row("compile-bench: full", whole, whole, sample)
    print_row(
        f"{loaded[0]['loader']} and jsonschema", [one["load"] + one["check"] for one in loaded],
        whole, sample)
    checks = [one["schemas"]["seconds"] for one in own if "schemas" in one]
    if checks:
        print_row("compile-bench: schemas alone", checks, checks, sample)
    print_row("jsonschema alone", [one["check"] for one in loaded], checks, sample)


def print_row(name, seconds, base, sample, runs=()):
    """The ratio is to the base of the same round; without a base there is none."""
    median = statistics.median(seconds)
    processor = memory = ratio = ""
    if runs:
        processor = amount(
            "seconds", statistics.median(run.processor_seconds for run in runs))
        memory = amount("bytes", max(run.peak_bytes for run in runs))
    if base:
        ratio = f"{statistics.median(one / ours for one, ours in zip(seconds, base)):.2f}"
    each = amount("seconds", median / len(sample.names))
    print(
        f"{name:<34} {amount('seconds', median):>12} {processor:>12} {memory:>12} {each:>12}"
        f" {ratio:>7}", flush=True)


def compare(repository, arguments):
    check_planted(repository)
    with tempfile.TemporaryDirectory() as folder:
        sample = Sample(repository, arguments.peer_files, folder)
        print_peers(sample, measured_rounds(sample, arguments.rounds))


def make_repository(directory, arguments):
    """Makes it, unless it is there."""
    if os.path.isdir(directory) and os.listdir(directory):
        return
    options = [
        f"--{name}={getattr(arguments, name)}" for name in ("files", "keys", "seed", "edits")]
    subprocess.run(
        [sys.executable, os.path.join(ROOT, "Benchmarks", "repository.py"), directory, *options],
        check=True)


def parsed_arguments():
    parser = argparse.ArgumentParser(description="Compiling, and checks by a schema beside others.")
    parser.add_argument("--repository", help="made if it is not there, and kept")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--peer-files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main():
    arguments = parsed_arguments()
    for name in "compile-bench", "configsync":
        program(name)
    peer_program("python")
    temporary = None if arguments.repository else tempfile.mkdtemp()
    try:
        repository = arguments.repository or temporary
        make_repository(repository, arguments)
        print_measures(*compile_bench(repository))
        compare(repository, arguments)
    finally:
        if temporary:
            shutil.rmtree(temporary)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-peer"]:
        as_peer(sys.argv[2], sys.argv[3:])
    else:
        main()
