"""Runs a case in all its ways, each in a process of its own."""

import os
import time
from pathlib import Path

import environments
import processes
import verdicts
from case import Case
from verdicts import Outcome, Result
from wheels import Wheels

CHILD = Path(__file__).resolve().parent / "child.py"
WAYS = ("plainly", "reference", "here", "on_thread_stack")
# Environment variables that the processes get: those of greenlet, and the processor that OpenBLAS assumes.
PASSED_ON = ("GREENLET_STACK_SIZE", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def run_way(case: Case, way: str, python: Path) -> Outcome:
    folder = environments.FOLDER / "native" / case.name / way
    journal, log = folder / "journal", folder / "log"
    for path in (journal, log):
        path.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    begin = time.monotonic()
    status = processes.run(
        [python, CHILD, case.name, way, journal],
        log=log,
        limit=case.limit,
        cwd=folder,
        env=environments.variables(python, **passed_on),
    )
    outcome = verdicts.read(journal, status)
    outcome.seconds = round(time.monotonic() - begin, 1)
    return outcome


def run(case: Case, wheels: Wheels) -> Result:
    ways = WAYS if case.on_thread_stack else WAYS[:-1]
    return Result(case, {way: run_way(case, way, wheels.python(way)) for way in ways})
