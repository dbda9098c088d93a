#!/usr/bin/env python3
"""Writes the names of the time zones that configsync.yaml may use, from the system's copy of the IANA database.

A list of the program's own, so that the same file is valid on every machine.
"""
import pathlib

DATABASE = pathlib.Path("/usr/share/zoneinfo/tzdata.zi")
OUTPUT = pathlib.Path(__file__).parent.parent / "Sources/Compiler/Settings/TimeZoneNames.swift"

lines = DATABASE.read_text().splitlines()
names = {line.split()[1] for line in lines if line.startswith("Z ")}
names |= {line.split()[2] for line in lines if line.startswith("L ")}

rows, row = [], ""
for name in sorted(names - {"Factory"}):
    if len(row) + len(name) > 105:
        rows.append(row)
        row = ""
    row += ("" if not row else " ") + name
rows.append(row)
OUTPUT.write_text(
    "/// The names of the IANA database "
    + lines[0].removeprefix("# version ")
    + ", links among them; made by Scripts/time-zones.py.\n"
    "enum TimeZoneNames {\n"
    "  static let all = Set(\n"
    '    """\n    '
    + "\n    ".join(rows)
    + '\n    """.split { $0.isWhitespace })\n'
    "}\n"
)
