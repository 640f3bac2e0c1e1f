"""Builds the package, runs the examples and prints a timing table, with the reference if that can be installed.

usage: PYTHON -m tools demo
"""

import subprocess
import sys

from tools import ROOT, environment
from tools.usage import parser

EXAMPLES = ("two_tasks", "nested_generator")


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL)


def say(line: str) -> None:
    print(f"\n{line}\n", flush=True)


def main(arguments: list[str]) -> int:
    parser(__doc__).parse_args(arguments)
    print(f"Building the package for CPython {sys.version.split()[0]}: a minute or two the first time.", flush=True)
    ours = environment.ours()
    for example in EXAMPLES:
        path = ROOT / "examples" / f"{example}.py"
        first_line = path.read_text().splitlines()[0].strip('"')
        say(f"--- examples/{example}.py: {first_line}")
        run(ours, path)

    say("--- the cost of a greenlet, compared with the reference if that can be installed")
    try:
        pythons = [ours, environment.reference()]
    except RuntimeError as error:
        print(f"{error}\nThe reference can't be installed: only this package is measured.", flush=True)
        pythons = [ours]
    run(ours, ROOT / "benchmarks" / "table.py", *pythons)
    return 0
