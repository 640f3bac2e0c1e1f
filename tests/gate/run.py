"""The instruction gate: fails if operations such as a switch take more instructions than their limits.

usage: PYTHON tests/gate/run.py [--measure]

PYTHON is a release build with this project's package (`python -m tools environment ours` creates one). Each case of
workload.py runs under callgrind with two loop counts. The difference of the instructions, divided by the difference of
the counts, is the cost of one operation, without start and end of the process. Times are not measured, so the machine
may be busy.

There are two figures for each case: the instructions in the package's own code, and all instructions, CPython's
included. Both must be within limits.toml, and the same for a switch at depth 1 and at depth 300. The second may differ
by a fraction, because the processes do not start in exactly the same way. A value through a channel of
greenlet.stackless may take at most as many instructions as four switches. --measure prints the measured figures, plus
the permitted 5 %, as a section for limits.toml.
"""

import argparse
import concurrent.futures
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

from callgrind import instructions_by_object
from workload import CASES, REPEATED

import greenlet

HERE = Path(__file__).resolve().parent
LIMITS = HERE / "limits.toml"
COUNTS = (20, 220)  # loop counts of the two runs
HEADROOM = 1.05  # a new limit, divided by the measured figure
SAME = 0.2  # instructions of difference that the start of a process may cause
SHALLOW = "switch, 1 frame deep"
AT_ANY_DEPTH = [(SHALLOW, "switch, 300 frames deep"), ("value, 1 frame deep", "value, 100 frames deep")]
THROUGH_CHANNEL = "send and receive"


class Instructions(NamedTuple):
    """The instructions of one operation."""

    own: float  # in the package's code
    total: float  # in all code


def is_release_build() -> bool:
    return not hasattr(sys, "gettotalrefcount") and "d" not in sys.abiflags


def run_under_callgrind(case: str, count: int, folder: Path) -> Instructions:
    output = folder / f"{case}.{count}"
    site_packages = Path(greenlet.__file__).parent.parent
    # Only the package and the standard library, and fixed hashes.
    program = (
        f"import sys, runpy; sys.path[:0] = [{str(site_packages)!r}]; "
        f"runpy.run_path({str(HERE / 'workload.py')!r}, run_name='__main__')"
    )
    result = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={output}",
            sys.executable,
            "-S",
            "-s",
            "-P",
            "-c",
            program,
            case,
            str(count),
        ],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode != 0:
        raise RuntimeError(f"{case}: exit status {result.returncode}\n{result.stdout}")
    by_object = instructions_by_object(output)
    own = sum(n for name, n in by_object.items() if Path(name).name.startswith("_greenlet."))
    return Instructions(own, sum(by_object.values()))


def measure() -> dict[str, Instructions]:
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        runs = {
            (case, count): executor.submit(run_under_callgrind, case, count, Path(folder))
            for case in CASES
            for count in COUNTS
        }
        results = {key: run.result() for key, run in runs.items()}
    few, many = COUNTS
    figures = {}
    for case, (_, operations) in CASES.items():
        divisor = (many - few) * REPEATED * operations
        figures[case] = Instructions(
            *(round((more - less) / divisor, 1) for less, more in zip(results[case, few], results[case, many]))
        )
    return figures


def section_name() -> str:
    """Return the key of a section: limits depend on CPython's version and the processor."""
    return f"cpython-{sys.version_info.major}.{sys.version_info.minor}-{platform.machine()}"


def as_section(figures: dict[str, Instructions]) -> str:
    lines = [f'["{section_name()}"]']
    lines += [
        f'"{case}" = {{ own = {int(own * HEADROOM)}, total = {int(total * HEADROOM)} }}  # {own:.1f}, {total:.1f}'
        for case, (own, total) in figures.items()
    ]
    return "\n".join(lines)


def check(figures: dict[str, Instructions], limits: dict[str, dict[str, int]]) -> int:
    """Print a line for each check. Returns how many failed."""
    passed = failed = 0

    def report(good: bool, text: str) -> None:
        nonlocal passed, failed
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok  ' if good else 'FAIL'} {text}", flush=True)

    for case, measured in figures.items():
        limit = Instructions(**limits[case])
        report(
            measured.own <= limit.own and measured.total <= limit.total,
            f"{case}: {measured.own:.1f} instructions in greenlet (limit {limit.own}), "
            f"{measured.total:.1f} with CPython's (limit {limit.total})",
        )
    for shallow_case, deep_case in AT_ANY_DEPTH:
        shallow, deep = figures[shallow_case], figures[deep_case]
        same = shallow.own == deep.own and abs(shallow.total - deep.total) <= SAME
        report(
            same,
            f"{deep_case}: the same as at depth 1: {shallow.own:.1f} and {deep.own:.1f} in greenlet, "
            f"{shallow.total:.1f} and {deep.total:.1f} with CPython's",
        )
    shallow = figures[SHALLOW]
    switches = figures[THROUGH_CHANNEL].total / shallow.total
    report(switches <= 4, f"{THROUGH_CHANNEL}: as many as {switches:.2f} switches")
    print(f"gate: {passed} passed, {failed} failed")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--measure", action="store_true", help="print the figures as a section for limits.toml")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("tests/gate/run.py: valgrind is not installed", file=sys.stderr)
        return 2
    if not is_release_build():
        print("tests/gate/run.py: this is not a release build", file=sys.stderr)
        return 2
    limits = tomllib.loads(LIMITS.read_text()) if LIMITS.exists() else {}
    if not arguments.measure and section_name() not in limits:
        print(
            f"tests/gate/run.py: {LIMITS.name} has no section for {section_name()}; --measure makes one",
            file=sys.stderr,
        )
        return 2
    figures = measure()
    if arguments.measure:
        print(as_section(figures))
        return 0
    return 1 if check(figures, limits[section_name()]) else 0


if __name__ == "__main__":
    sys.exit(main())
