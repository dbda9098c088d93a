#!/usr/bin/env python3
"""Prints which lines of the core and of its log the tests run, and fails below the bar.

usage: Scripts/coverage.py [--bar PERCENT] [--lines]
"""
import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRATCH = os.path.join(ROOT, ".build-coverage")
TARGETS = ["Raft", "RaftLog"]


def measure(target):
    """The files of one target, as llvm-cov sees them after the target's own tests."""
    environment = dict(os.environ, ONLY=target)
    command = ["swift", "test", "--enable-code-coverage", "--scratch-path", SCRATCH]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        print(result.stdout[-4000:], result.stderr[-2000:], file=sys.stderr)
        sys.exit(f"the tests of {target} fail")
    path = subprocess.check_output(
        command[:2] + ["--show-codecov-path", "--scratch-path", SCRATCH], cwd=ROOT,
        env=environment, text=True).strip().split("\n")[-1]
    data = json.load(open(path))["data"][0]
    folder = os.path.join(ROOT, "Sources", target) + os.sep
    return [f for f in data["files"] if f["filename"].startswith(folder)]


def missed(file):
    """The lines on which a region begins that no test runs."""
    return sorted({line for line, _, count, has_count, is_entry, is_gap in file["segments"]
                   if has_count and is_entry and count == 0 and not is_gap})


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bar", type=float, default=95)
    arguments.add_argument("--lines", action="store_true", help="show what is missed")
    options = arguments.parse_args()
    below = []
    for target in TARGETS:
        files = measure(target)
        if not files:
            sys.exit(f"no file of {target} was measured")
        lines, covered = 0, 0
        for file in sorted(files, key=lambda f: f["filename"]):
            summary = file["summary"]["lines"]
            lines += summary["count"]
            covered += summary["covered"]
            name = os.path.relpath(file["filename"], os.path.join(ROOT, "Sources"))
            print(f"{name:48} {summary['covered']:5} of {summary['count']:5} lines "
                  f"{100 * summary['covered'] / max(1, summary['count']):6.1f} %")
            if options.lines:
                for line in missed(file):
                    text = open(file["filename"]).read().split("\n")[line - 1].strip()
                    print(f"    {line}: {text}")
        percent = 100 * covered / lines
        print(f"{target + ' in all':48} {covered:5} of {lines:5} lines {percent:6.1f} %\n")
        if percent < options.bar:
            below.append(target)
    if below:
        sys.exit(f"below {options.bar:g} %: {', '.join(below)}")


if __name__ == "__main__":
    main()
