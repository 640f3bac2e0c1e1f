"""Builds the package for one interpreter and runs all Python-level tests on it.

usage: PYTHON -m tools test [--pytest-only | --reference-only] [PYTEST ARGUMENT...]

PYTHON is the interpreter to test. The pytest suite runs first, then the reference's own suite
(tests/reference/run.py); each ends with its runner's closing line. The exit status is 0 if both passed.
"""

import sys
from collections.abc import Sequence

from tools import BUILD, environment, processes
from tools.usage import parser


def pytest(python: Sequence[str], folder: str, *arguments: str) -> list[str]:
    """Return the command of the pytest suite on *python*, with pytest's cache in *folder* below build/."""
    return [
        *python,
        "-X",
        "faulthandler",
        "-m",
        "pytest",
        "-o",
        f"cache_dir={BUILD / folder / 'pytest-cache'}",
        *arguments,
    ]


def reference(python: Sequence[str]) -> list[str]:
    """Return the command of the reference's suite on *python*."""
    return [*python, "tests/reference/run.py"]


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    only = parsed.add_mutually_exclusive_group()
    only.add_argument("--pytest-only", action="store_true")
    only.add_argument("--reference-only", action="store_true")
    options, pytest_arguments = parsed.parse_known_args(arguments)

    python = [str(environment.ours())]
    commands = [] if options.reference_only else [pytest(python, environment.FOLDER.name, *pytest_arguments)]
    commands += [] if options.pytest_only else [reference(python)]
    failed = False
    for command in commands:
        status = processes.call(command)
        if status != 0:
            print(f"{' '.join(command)}: exit status {status}", file=sys.stderr)
            failed = True
    return failed
