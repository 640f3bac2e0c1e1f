"""Runs the reference's own test suite, leak checks on, against the installed package.

The suite comes from the source distribution on PyPI (sdist.py) and is never stored here. It runs in a
scratch copy of the installed package (overlay.py), in a process of its own (child.py) which is started
anew for the remaining tests after a crash or a hang. Tests that are left out, and why, are listed in
exclusions.toml and printed.

The interpreter that runs this file is the one that is tested. It needs `psutil` and `objgraph` and,
unless --package reference is given, this project's package; `python -m tools environment` provides them.
"""

import argparse
import dataclasses
import fnmatch
import importlib.util
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tomllib
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

import overlay
import sdist

KINDS = ("stack-copying", "fails on the reference too", "not on this build")
MOST_STACK_COPYING = 3
IS_DEBUG_BUILD = hasattr(sys, "gettotalrefcount")
IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
# Free-threaded 3.13 never frees a class once a second thread has started, and all tests of the suite create some.
COUNTS_REFERENCES = not IS_FREE_THREADED or sys.version_info >= (3, 14)


@dataclasses.dataclass(frozen=True)
class Exclusion:
    test: str
    versions: tuple[str, ...]
    builds: tuple[str, ...]
    kind: str
    reason: str

    def applies_here(self) -> bool:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        build = "free-threaded" if IS_FREE_THREADED else "debug" if IS_DEBUG_BUILD else "release"
        return (version in self.versions or self.versions == ("all",)) and build in self.builds


def read_exclusions(path: Path) -> list[Exclusion]:
    """Read and check the list. Raises ValueError if it violates its rules."""
    exclusions = []
    for entry in tomllib.loads(path.read_text()).get("exclusion", []):
        entry = dict(entry)
        entry["versions"] = tuple(entry["versions"])
        entry["builds"] = tuple(entry.get("builds", ("release", "debug", "free-threaded")))
        exclusion = Exclusion(**entry)
        if exclusion.kind not in KINDS:
            raise ValueError(f"{exclusion.test}: kind is {exclusion.kind!r}, not one of {KINDS}")
        if not exclusion.reason.strip():
            raise ValueError(f"{exclusion.test}: no reason is given")
        exclusions.append(exclusion)
    about_stacks = {e.test for e in exclusions if e.kind == "stack-copying"}
    if len(about_stacks) > MOST_STACK_COPYING:
        raise ValueError(f"{len(about_stacks)} stack-copying exclusions, at most {MOST_STACK_COPYING}")
    return exclusions


def test_ids(suite) -> list[str]:
    return [
        name for test in suite for name in (test_ids(test) if isinstance(test, unittest.TestSuite) else [test.id()])
    ]


def discover(environment: dict[str, str], scratch: Path) -> list[str]:
    """Return the ids of all tests, found in a process that sees the scratch tree."""
    code = (
        "import sys, unittest; sys.path.insert(0, sys.argv[1]); import run; "
        "names = sorted(p.stem for p in run.Path(sys.argv[2]).glob('test_*.py')); "
        "suite = unittest.defaultTestLoader.loadTestsFromNames(['greenlet.tests.' + n for n in names]); "
        "print('\\n'.join(run.test_ids(suite)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(HERE), str(scratch / "greenlet" / "tests")],
        env=environment,
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    if found.returncode != 0:
        raise RuntimeError("the suite can't be imported")
    return found.stdout.split()


def exit_text(returncode: int) -> str:
    if returncode < 0:
        return f"the process died of {signal.Signals(-returncode).name}"
    return f"the process ended with exit code {returncode} (a test past its time limit ends it so)"


def run_tests(tests: list[str], arguments, environment: dict[str, str], work: Path) -> dict[str, tuple[str, str]]:
    """Run *tests* and return {test id: (outcome, detail)}, in as few processes as crashes allow."""
    outcomes: dict[str, tuple[str, str]] = {}
    remaining = list(tests)
    while remaining:
        report = work / "report.jsonl"
        output = work / "output.txt"
        report.write_text("")
        # The report is the child's record; its output is kept for a test that crashes it.
        with output.open("w") as stream:
            returncode = subprocess.run(
                [
                    sys.executable,
                    str(HERE / "child.py"),
                    str(report),
                    str(arguments.time_limit),
                    "yes" if arguments.package == "reference" else "no",
                    *remaining,
                ],
                env=environment,
                cwd=work / "site",
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            ).returncode
        started = None
        finished = 0
        for line in map(json.loads, report.read_text().splitlines()):
            if "start" in line:
                started = line["start"]
                continue
            started = None
            finished += 1
            outcomes[line["test"]] = line["outcome"], line["detail"]
            if arguments.verbose or line["outcome"] == "failed":
                print(f"{line['outcome']:8}{line['test']}", flush=True)
        text = output.read_text(errors="replace")[-6000:]
        if started is not None:
            outcomes[started] = "failed", f"{exit_text(returncode)}\n{text}"
            print(f"{'failed':8}{started}", flush=True)
        elif returncode != 0 and finished:
            # All tests ended, but the interpreter did not end normally: no single test is the cause.
            outcomes["(end of the process)"] = "failed", f"{exit_text(returncode)}\n{text}"
            print(f"{'failed':8}(end of the process)", flush=True)
        before = len(remaining)
        remaining = [test for test in remaining if test not in outcomes]
        if remaining and len(remaining) == before:
            detail = f"{exit_text(returncode)}\n{text}"
            outcomes.update((test, ("failed", detail)) for test in remaining)
            print(f"no test could be started: {detail}", flush=True)
            break
    return outcomes


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "tests",
        nargs="*",
        metavar="PATTERN",
        help="only tests whose id contains this, or matches it as a shell pattern",
    )
    parser.add_argument(
        "--package",
        choices=("installed", "reference"),
        default="installed",
        help="reference: run the suite on the reference itself, in a virtual environment under "
        "build/, with its leak marks as they are and nothing excluded",
    )
    parser.add_argument(
        "--time-limit",
        type=float,
        metavar="SECONDS",
        default=600 if IS_DEBUG_BUILD else 180,
        help="for one test, including its repetitions under the leak check (default: %(default)g)",
    )
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="where scratch files go")
    parser.add_argument("-v", "--verbose", action="store_true", help="name each test")
    return parser.parse_args()


def in_reference_environment(arguments) -> None:
    """Continue this program in a virtual environment that has the reference, unless it is in one."""
    if os.environ.get("REFERENCE_SUITE_IN_ENVIRONMENT"):
        return
    sys.path.insert(0, str(ROOT))
    from tools.environment import reference

    python = str(reference())
    os.execve(python, [python, *sys.argv], dict(os.environ, REFERENCE_SUITE_IN_ENVIRONMENT="1"))


def main() -> int:
    arguments = parse()
    if arguments.package == "reference":
        in_reference_environment(arguments)
    missing = [name for name in ("psutil", "objgraph", "greenlet") if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(
            f"{', '.join(missing)} not installed for {sys.executable}: "
            "`python -m tools environment ours` creates an environment that has all of them"
        )

    exclusions = read_exclusions(HERE / "exclusions.toml")
    tag = f"{sys.version.split()[0]}{sys.abiflags}-{arguments.package}"
    work = arguments.build.resolve() / "reference-suite" / tag
    scratch = work / "site"
    overlay.lay_out(sdist.fetch(arguments.build.resolve() / "downloads"), scratch)

    environment = {
        name: value
        for name, value in os.environ.items()
        # These variables turn off leak checks in the suite.
        if name
        not in (
            "GREENLET_SKIP_LEAKCHECKS",
            "GREENLET_MANYLINUX",
            "GREENLET_SKIP_FAILING_LEAKCHECKS",
            "GREENLET_ONLY_FAILING_LEAKCHECKS",
        )
    }
    environment["PYTHONPATH"] = str(scratch)
    environment["PYTHONFAULTHANDLER"] = "1"
    if not COUNTS_REFERENCES:
        environment["GREENLET_SKIP_LEAKCHECKS"] = "1"
        print("without leak checks: this CPython never frees a class once a second thread has started")

    about = subprocess.run(
        [sys.executable, "-c", "import greenlet; print(greenlet.__version__, greenlet.__file__)"],
        env=environment,
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    version, file = about.stdout.split(maxsplit=1)
    if not file.startswith(str(scratch)):
        raise RuntimeError(f"greenlet was imported from {file}")
    if (version == sdist.VERSION) != (arguments.package == "reference"):
        raise RuntimeError(f"greenlet {version} is installed, which is not the one to test")
    print(
        f"suite of greenlet {sdist.VERSION} on greenlet {version}, CPython {sys.version.split()[0]}"
        f"{' (debug build)' if IS_DEBUG_BUILD else ''}",
        flush=True,
    )

    tests = discover(environment, scratch)
    unknown = [e.test for e in exclusions if e.test not in tests]
    if unknown:
        raise ValueError(f"exclusions.toml names tests that are not in the suite: {', '.join(unknown)}")
    if arguments.tests:
        tests = [
            test
            for test in tests
            if any(pattern in test or fnmatch.fnmatch(test, pattern) for pattern in arguments.tests)
        ]

    excluded = (
        {}
        if arguments.package == "reference"
        else {e.test: e for e in exclusions if e.applies_here() and e.test in tests}
    )
    for exclusion in excluded.values():
        print(f"excluded {exclusion.test}\n         {exclusion.kind}: {exclusion.reason}")

    outcomes = run_tests([test for test in tests if test not in excluded], arguments, environment, work)

    for test, (outcome, detail) in outcomes.items():
        if outcome == "failed":
            print(f"\n=== {test}\n{detail.rstrip()}")
        elif outcome == "skipped" and arguments.verbose:
            print(f"skipped {test}: {detail}")
    if arguments.package == "reference":
        for exclusion in exclusions:
            if (
                exclusion.kind == "fails on the reference too"
                and exclusion.applies_here()
                and outcomes.get(exclusion.test, ("failed",))[0] != "failed"
            ):
                print(f"\n{exclusion.test} is excluded as failing on the reference too, but did not fail on it now")

    count = [outcome for outcome, _ in outcomes.values()].count
    passed, failed, skipped = count("passed"), count("failed"), count("skipped") + len(excluded)
    print(f"\nreference: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        print(f"tests/reference/run.py: {error}", file=sys.stderr)
        print("reference: 0 passed, 1 failed")
        sys.exit(1)
