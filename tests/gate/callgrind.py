"""Reads the output of callgrind."""

import re
from collections import Counter
from pathlib import Path

_POSITION = re.compile(r"(?P<kind>c?(?:ob|fl|fi|fe|fn))=\((?P<number>\d+)\)(?: (?P<name>.*))?$")
_COST = re.compile(r"(?:\+|-|\*|\d|0x)\S* (\d+)$")


def instructions_by_object(path: Path) -> Counter[str]:
    """Return the number of instructions that ran in each object file, that is, in the program and each library."""
    names: dict[str, str] = {}
    instructions: Counter[str] = Counter()
    current = "???"
    skip = False
    for line in path.read_text().splitlines():
        if line.startswith("calls="):
            skip = True  # the next line is the inclusive cost of the called function, which is counted at its own entry
            continue
        if match := _COST.match(line):
            if not skip:
                instructions[current] += int(match[1])
            skip = False
        elif (match := _POSITION.match(line)) and match["kind"] in ("ob", "cob"):
            if match["name"] is not None:
                names[match["number"]] = match["name"]
            if match["kind"] == "ob":
                current = names[match["number"]]
    return instructions
