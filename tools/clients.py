"""Runs the test suites of libraries that use greenlet, on the reference and on this package.

usage: PYTHON -m tools clients [--fast | --all] [--list] [SUITE or CLIENT...]

Without names, every suite except the long ones runs. --all runs those too, --fast only those for continuous
integration, and --list prints the names. Each suite runs in two virtual environments that differ only in greenlet:
first the reference from PyPI, then a wheel of this tree. Everything else is installed from published wheels.

A test that passes on the reference but not on ours is repeated three times on both. The exit status is 1 if such a test
is not flaky, or if a suite could not run. Results are stored in build/clients/results/ and written to docs/clients.md
(not with --fast). Sources, environments and logs are in build/clients/pythonVERSION/.
"""

import contextlib
import json
import signal
import sys
import time
from pathlib import Path

from tools import ROOT
from tools.usage import parse_names, parser

sys.path.insert(0, str(ROOT / "tests" / "clients"))

import environments
import outcomes
import report
import system
from runners import Suite
from suites import SUITES

RESULTS = environments.CACHE / "results"
PACKAGES = ("reference", "ours")
REPEATS = 3
PROGRESS_EVERY = 30  # seconds


class ProgressLine:
    def __init__(self, title: str, records: Path, limit: float) -> None:
        self.title, self.records, self.limit, self.shown = title, records, limit, 0.0

    def __call__(self, seconds: float) -> None:
        if seconds - self.shown >= PROGRESS_EVERY:
            self.shown = seconds
            print(
                f"{self.title}: {outcomes.read(self.records).ran} tests after {seconds:.0f} s of {self.limit:.0f} s",
                flush=True,
            )


def run_once(suite: Suite, package: str, python: Path, folder: Path, only: list[str] | None = None) -> outcomes.Run:
    folder.mkdir(parents=True, exist_ok=True)
    records = folder / "records"
    records.unlink(missing_ok=True)
    if only is None:
        (folder / "log").unlink(missing_ok=True)
    begin = time.monotonic()
    stopped = suite.run(package, python, folder, ProgressLine(f"{suite.name}, {package}", records, suite.limit), only)
    run = outcomes.read(records)
    run.seconds, run.stopped = time.monotonic() - begin, stopped
    return run


def repeat(suite: Suite, pythons: dict, folder: Path, runs: dict) -> dict[str, outcomes.Repeats]:
    """Repeat the tests that differ between the first *runs*, on both packages."""
    repeats = {
        test: outcomes.Repeats()
        for test in outcomes.differences(runs["reference"], runs["ours"])
        if suite.reason_not_to_pass(test) is None
    }
    for attempt in range(1, REPEATS + 1) if repeats else ():
        print(f"{suite.name}: {len(repeats)} differences, repeating them ({attempt} of {REPEATS})", flush=True)
        again = {
            package: run_once(suite, package, pythons[package], folder / f"{package}-again", list(repeats))
            for package in PACKAGES
        }
        for test, repeated in repeats.items():
            repeated.add(again["reference"], again["ours"], test)
    return repeats


def summary(run: outcomes.Run) -> str:
    figures = "".join(f"; {name} {value}" for name, value in run.figures.items())
    return (
        f"{run.count('passed')} passed of {run.ran} in {run.seconds:.0f} s{figures}"
        f"{'; ' if run.stopped else ''}{run.stopped}"
    )


def run_suite(suite: Suite, our_wheel: Path) -> tuple[dict, bool]:
    """Run *suite* on both packages. Returns the results, and whether they are good."""
    system.install(suite.needs)
    pythons = {
        package: environments.make(suite.name, package, our_wheel, suite.requirements, suite.built)
        for package in PACKAGES
    }
    folder = environments.FOLDER / "runs" / suite.name
    runs = {}
    with (suite.around or contextlib.nullcontext)():
        for package in PACKAGES:
            runs[package] = run_once(suite, package, pythons[package], folder / package)
            print(f"{suite.name}, {package}: {summary(runs[package])}", flush=True)
        repeats = repeat(suite, pythons, folder, runs)
    for test, repeated in repeats.items():
        print(f"{suite.name}: {test} {repeated}", flush=True)
    known = {test: suite.reason_not_to_pass(test) for test in runs["ours"].outcomes if suite.reason_not_to_pass(test)}
    passes = [test for test in known if runs["ours"].outcomes[test] == "passed"]
    for test in passes:
        print(f"{suite.name}: {test} passes, though it is named as one that can't", flush=True)
    results = {
        "version": environments.version(pythons["ours"], suite.client),
        "differences": {test: str(repeated) for test, repeated in repeats.items()},
        "can't pass": known,
        **{package: run.as_json() for package, run in runs.items()},
    }
    good = all(repeated.is_flaky for repeated in repeats.values()) and not passes and suite.is_shown_by(runs)
    return results, good


def keep(suite: Suite, results: dict) -> None:
    python = sys.version.split()[0] + sys.abiflags
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{suite.name}-{python}.json").write_text(
        json.dumps({"suite": suite.name, "client": suite.client, "python": python, **results}, indent=1)
    )


def choose(names: list[str], fast: bool, everything: bool) -> list[Suite]:
    if names:
        return [
            suite
            for suite in SUITES
            if suite.name in names or (suite.client in names and (everything or not suite.long))
        ]
    return [suite for suite in SUITES if (suite.fast if fast else everything or not suite.long)]


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--fast", action="store_true")
    parsed.add_argument("--all", action="store_true")
    parsed.add_argument("--list", action="store_true")
    known = {suite.name for suite in SUITES} | {suite.client for suite in SUITES}
    options = parse_names(parsed, arguments, known, default=[])
    chosen = choose(options.names, options.fast, options.all)
    if options.list:
        for suite in chosen:
            print(f"{suite.name:24} {suite.client:12} {'fast' if suite.fast else 'long' if suite.long else ''}")
        return 0

    # A shell starts background processes with SIGINT ignored, but clients test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # ends the processes it started
    our_wheel = environments.wheel()
    bad, passed = [], 0
    for suite in chosen:
        try:
            results, good = run_suite(suite, our_wheel)
            passed += results["ours"]["passed"]
        except environments.Unavailable as reason:
            results, good = {"unavailable": str(reason)}, False
            print(f"{suite.name}: not run: {reason}", flush=True)
        keep(suite, results)
        if not good:
            bad.append(suite.name)
    if not options.fast:
        report.write(ROOT / "docs" / "clients.md", RESULTS, [suite.name for suite in SUITES])
    print(
        f"{len(chosen) - len(bad)} suites of {len(chosen)} are good, {passed} tests passed"
        f"{': not ' if bad else ''}{', '.join(bad)}"
    )
    return 1 if bad else 0
