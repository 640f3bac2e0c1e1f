"""Runs native code of real libraries plainly, in greenlets of the reference, and in greenlets of this package.

usage: PYTHON -m tools native [--fast] [--list] [LIBRARY or CASE...]

A case is a small function (tests/native/cases/). It runs in the main thread without greenlets, in a greenlet of the
reference from PyPI, and in a greenlet of a wheel of this tree with its default settings; some cases also run through
greenlet.on_thread_stack(). All libraries are installed from their published wheels. --fast runs only the cases for
continuous integration, and --list prints what each case does.

The exit status is 1 if a case works plainly, but neither in a greenlet here nor, if the case allows that, on the
thread's own stack. Results are stored in build/native/results/ and written to docs/native-code.md (not with --fast or
with another stack size in GREENLET_STACK_SIZE).
"""

import json
import os
import resource
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from tools import BUILD, ROOT
from tools.usage import parse_names, parser

sys.path[:0] = [str(ROOT / "tests" / "native"), str(ROOT / "tests" / "clients")]

import environments
import page
import runner
import system
from case import Case
from child import load_cases
from verdicts import Result
from wheels import Wheels

RESULTS = BUILD / "native" / "results"
PYTHON = sys.version.split()[0] + sys.abiflags
STACK_OF_MAIN_THREAD = 8 << 20  # Linux's default
AT_ONCE = 2


def choose(cases: list[Case], names: list[str], fast: bool) -> list[Case]:
    if names:
        return [case for case in cases if case.name in names or case.library.name in names]
    return [case for case in cases if case.fast or not fast]


def why_not(case: Case, wheels: Wheels) -> str:
    """Return why *case* can't run on this interpreter, or an empty string."""
    if sys.version_info < case.since:
        return "not in this version"
    try:
        system.install(case.library.needs)
    except environments.Unavailable as reason:
        return str(reason)
    missing = wheels.missing(case.library.requirements)
    return f"no wheel of {', '.join(missing)}" if missing else ""


def prepare(cases: list[Case]) -> tuple[Wheels, dict[str, str]]:
    """Create the environments that *cases* need. Also returns the cases that can't run, each with the reason."""
    our_wheel = environments.wheel()
    wheels = Wheels()
    wheels.provide(
        [requirement for case in cases if sys.version_info >= case.since for requirement in case.library.requirements]
    )
    wheels.install_ours(our_wheel)
    reasons = {case.name: why_not(case, wheels) for case in cases}
    return wheels, {name: reason for name, reason in reasons.items() if reason}


def version(case: Case, wheels: Wheels) -> str:
    if case.library.requirements:
        return environments.version(wheels.reference, case.library.name)
    return system.version(case.library.needs[0]) if case.library.needs else ""


def show(result: Result) -> None:
    words = "; ".join(
        f"{way} {result.describe(way)} ({outcome.seconds:.1f} s)" for way, outcome in result.outcomes.items()
    )
    print(f"{'' if result.is_good else 'BAD '}{result.case.name}: {words}", flush=True)


def keep(results: list[Result], left_out: dict[str, str], wheels: Wheels) -> None:
    """Add *results* to the stored results of this interpreter."""
    path = RESULTS / f"{PYTHON}.json"
    kept = json.loads(path.read_text()) if path.is_file() else {"python": PYTHON, "cases": {}, "left_out": {}}
    for result in results:
        kept["left_out"].pop(result.case.name, None)
        kept["cases"][result.case.name] = {
            "library": result.case.library.name,
            "case": result.case.function.__name__,
            "version": version(result.case, wheels),
            "good": result.is_good,
            "words": {way: result.describe(way) for way in result.outcomes},
            "outcomes": {way: outcome.as_json() for way, outcome in result.outcomes.items()},
        }
    for name, reason in left_out.items():
        kept["cases"].pop(name, None)
        kept["left_out"][name] = reason
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=1))


def limit_stack() -> None:
    """Give the main thread of each process a stack of the default size."""
    most = resource.getrlimit(resource.RLIMIT_STACK)[1]
    size = STACK_OF_MAIN_THREAD if most == resource.RLIM_INFINITY else min(STACK_OF_MAIN_THREAD, most)
    resource.setrlimit(resource.RLIMIT_STACK, (size, most))


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--fast", action="store_true")
    parsed.add_argument("--list", action="store_true")
    cases = load_cases()
    known = {case.name for case in cases} | {case.library.name for case in cases}
    options = parse_names(parsed, arguments, known, default=[])
    chosen = choose(cases, options.names, options.fast)
    if options.list:
        for case in chosen:
            print(f"{case.name:40} {'fast' if case.fast else '':5} {case.summary}")
        return 0

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # ends the processes it started
    limit_stack()
    wheels, left_out = prepare(chosen)
    results = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for result in pool.map(lambda case: runner.run(case, wheels), (c for c in chosen if c.name not in left_out)):
            show(result)
            results.append(result)
    for name, reason in left_out.items():
        print(f"{name}: not run: {reason}")
    if "GREENLET_STACK_SIZE" not in os.environ:
        keep(results, left_out, wheels)
        if not options.fast:
            page.write(ROOT / "docs" / "native-code.md", RESULTS, [case.name for case in cases])
    bad = [result.case.name for result in results if not result.is_good]
    work = sum(result.works("plainly") for result in results)
    print(
        f"{work - len(bad)} cases of {work} that work plainly are good, {len(left_out)} not run"
        f"{': not ' if bad else ''}{', '.join(bad)}"
    )
    return 1 if bad else 0
