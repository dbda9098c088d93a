#!/usr/bin/env python3
"""Builds the simulator once with every bug of Tests/Mutants planted, each behind a switch, and runs
it with one bug at a time: the simulator must find each. Writes Documentation/mutants.md.

usage: Scripts/mutants.py [--seeds N] [--only NAME,...]
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TREE = os.path.join(ROOT, ".build-mutants", "tree")
SCRATCH = os.path.join(ROOT, ".build-mutants", "build")
REPORT = os.path.join(ROOT, "Documentation", "mutants.md")
# A seed takes a fraction of a second: whoever needs longer hangs.
SECONDS_PER_MUTANT = 900


def catalogue():
    mutants = []
    for name in sorted(os.listdir(os.path.join(ROOT, "Tests", "Mutants"))):
        text = open(os.path.join(ROOT, "Tests", "Mutants", name)).read()
        for block in re.split(r"^=== ", text, flags=re.M)[1:]:
            title, rest = block.split("\n", 1)
            head, *parts = re.split(r"^--- (?:right|wrong)\n", rest, flags=re.M)
            fields = dict(line.split(": ", 1) for line in head.strip().split("\n"))
            last, _, also = parts[-1].partition("\nalso: ")
            parts = [part.rstrip("\n") for part in parts[:-1] + [last]]
            mutants.append(
                {
                    "name": title.strip(), "why": fields["why"], "file": fields["file"],
                    # A bug may need several places of its file.
                    "places": list(zip(parts[::2], parts[1::2])),
                    "also": also.strip(),
                })
    names = [m["name"] for m in mutants]
    assert len(names) == len(set(names)), "two mutants have one name"
    return mutants


def plant(mutants):
    """Copies the sources and puts each bug behind `activeMutant == N`."""
    files = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).split()
    wanted = [f for f in files if f.startswith("Sources/") or f == "Package.swift"]
    texts = {f: open(os.path.join(ROOT, f), "rb").read() for f in wanted if os.path.exists(os.path.join(ROOT, f))}
    sources = {m["file"]: texts[m["file"]].decode() for m in mutants}
    for number, mutant in enumerate(mutants, 1):
        if mutant["also"]:
            continue
        place(sources, mutant, number)
    # Those that change what another has changed already go into the other's wrong text's neighbour.
    for number, mutant in enumerate(mutants, 1):
        if mutant["also"]:
            place_beside(sources, mutant, number, mutants)
    for path, text in sources.items():
        texts[path] = text.encode()
    for target in sorted({path.split("/")[1] for path in sources}):
        texts[f"Sources/{target}/ActiveMutant.swift"] = (
            b"import Glibc\n\n"
            b"let activeMutant: Int = getenv(\"CONFIGSYNC_MUTANT\").flatMap { Int(String(cString: $0)) } ?? 0\n")
    manifest = texts["Package.swift"].decode()
    texts["Package.swift"] = manifest.replace("  .treatAllWarnings(as: .error),\n", "").encode()
    for path, content in texts.items():
        target = os.path.join(TREE, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        # A file that has not changed keeps its time, so that it is not built again.
        if not os.path.exists(target) or open(target, "rb").read() != content:
            open(target, "wb").write(content)
    for folder, _, names in os.walk(os.path.join(TREE, "Sources")):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), TREE)
            if path not in texts:
                os.remove(os.path.join(folder, name))
    # Tests are not built, but the manifest names their folders.
    for path in files:
        if path.startswith("Tests/"):
            folder = os.path.join(TREE, os.path.dirname(path))
            os.makedirs(folder, exist_ok=True)


def place(sources, mutant, number):
    for right, wrong in mutant["places"]:
        text = sources[mutant["file"]]
        if text.count(right) != 1:
            sys.exit(
                f"mutant {mutant['name']}: its place is there {text.count(right)} times in "
                f"{mutant['file']}: mend Tests/Mutants")
        wrong = wrong.replace("MUTANT", f"(activeMutant == {number})")
        sources[mutant["file"]] = text.replace(right, wrong)


def place_beside(sources, mutant, number, mutants):
    other_number, other = next(
        (n, m) for n, m in enumerate(mutants, 1) if m["name"] == mutant["also"])
    (other_right, other_wrong), = other["places"]
    planted = other_wrong.replace("MUTANT", f"(activeMutant == {other_number})")
    (right, wrong), = mutant["places"]
    extended = dict(mutant)
    extended["places"] = [(
        right.replace(other_right, planted), wrong.replace("\n" + other_right, "\n" + planted))]
    place(sources, extended, number)


def build():
    command = [
        "swift", "build", "-c", "release", "--product", "simulate", "--package-path", TREE,
        "--scratch-path", SCRATCH,
    ]
    # The other targets are not in the copy.
    environment = dict(os.environ, ONLY="simulate")
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        print(result.stdout[-6000:], result.stderr[-2000:], file=sys.stderr)
        sys.exit("the mutants do not build")
    return os.path.join(SCRATCH, "release", "simulate")


def hunt(simulate, number, seeds, first=1):
    """The seed that found it, and what was found; None if nothing was."""
    environment = dict(os.environ, CONFIGSYNC_MUTANT=str(number), SWIFT_BACKTRACE="enable=no")
    command = [
        simulate, "--first", str(first), "--seeds", str(seeds), "--jobs", "2", "--twice", "0",
        "--no-shrinking",
    ]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=SECONDS_PER_MUTANT)
    except subprocess.TimeoutExpired:
        return None, f"nothing in {SECONDS_PER_MUTANT} s"
    found = re.search(r"^seed (\d+) fails: (.*)$", result.stdout, flags=re.M)
    if not found:
        return None, (result.stdout.split("\n") or ["no word"])[0]
    return int(found.group(1)), re.sub(r"^at \d+ µs, event \d+: ", "", found.group(2))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seeds", type=int, default=3000)
    arguments.add_argument("--only", default="")
    options = arguments.parse_args()
    mutants = catalogue()
    plant(mutants)
    start = time.time()
    simulate = build()
    print(f"built {len(mutants)} bugs in {time.time() - start:.0f} s", flush=True)
    only = set(filter(None, options.only.split(",")))
    seed, reason = hunt(simulate, 0, 60)
    if seed is not None:
        sys.exit(f"without any bug seed {seed} fails: {reason}")
    rows, missed = [], []
    for number, mutant in enumerate(mutants, 1):
        if only and mutant["name"] not in only:
            continue
        begun = time.time()
        seed, reason = hunt(simulate, number, options.seeds)
        if seed is None:
            missed.append(mutant["name"])
        elif hunt(simulate, 0, 1, first=seed)[0] is not None:
            sys.exit(f"seed {seed} fails without any bug: the simulator has found one of ours")
        print(
            f"{mutant['name']:38} {'NOT FOUND' if seed is None else 'seed %d' % seed:12} "
            f"{time.time() - begun:5.1f} s  {reason[:90]}", flush=True)
        rows.append((mutant, seed, reason))
    if not only:
        write(rows, options.seeds)
    if missed:
        sys.exit(f"{len(missed)} of {len(rows)} bugs were not found: {', '.join(missed)}")
    print(f"all {len(rows)} bugs were found")


def write(rows, seeds):
    with open(REPORT, "w") as report:
        report.write(
            "# Planted bugs\n\n"
            "`make mutants` plants each bug of `Tests/Mutants` alone and runs seeds from 1 on until one "
            "fails.\nThe table is written by it: which seed found the bug, and by what. Two processes run "
            "at a time, so\nthe number may differ by a few.\n\n"
            "| bug | why it is one | seed | found by |\n| --- | --- | --- | --- |\n")
        for mutant, seed, reason in rows:
            shown = f"none of {seeds}" if seed is None else str(seed)
            found = re.sub(r"\b[0-9a-f]{12,16}\b", "N", reason).replace("|", "/")[:80]
            report.write(f"| {mutant['name']} | {mutant['why']} | {shown} | {found} |\n")


if __name__ == "__main__":
    main()
