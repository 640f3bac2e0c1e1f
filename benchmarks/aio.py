"""Measures what awaiting from an ordinary function costs, compared with greenback and SQLAlchemy's functions.

usage: PYTHON benchmarks/aio.py [--page]
       PYTHON benchmarks/aio.py --one

Creates two environments for the running interpreter, one with this package and one with the reference, both with
greenback and SQLAlchemy. New processes measure them in alternation. The table shows the medians of the rounds in
nanoseconds, and the ratio to greenlet.aio. `--page` also writes it to docs/aio.md. `--one` measures the running
environment once, and prints the figures as JSON.

  ready     await a coroutine that returns at once
  suspends  await a coroutine that yields once: the task resumes it at once, so the figure has no work of an event loop
  sleep(0)  await asyncio.sleep(0): the same, and one iteration of asyncio's event loop
  call      a call, from a coroutine, of a function that awaits nothing

The rows named `await` show a native `await` in a coroutine.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import types
from time import perf_counter_ns

CLIENTS = ["greenback", "sqlalchemy"]
COLUMNS = ("ready", "suspends", "sleep(0)", "call")
ROUNDS = 15
COUNT = 5_000
REPETITIONS = 5


async def ready():
    return 1


@types.coroutine
def suspends():
    yield


def sleep():
    return asyncio.sleep(0)


def nothing():
    return 1


async def nothing_async():
    return 1


def loop_of(await_, make):
    """Return a function that awaits COUNT times, and returns the nanoseconds per await."""

    def loop():
        begin = perf_counter_ns()
        for _ in range(COUNT):
            await_(make())
        return (perf_counter_ns() - begin) / COUNT

    return loop


async def native_loop(make):
    begin = perf_counter_ns()
    for _ in range(COUNT):
        await make()
    return (perf_counter_ns() - begin) / COUNT


async def calls(spawn):
    begin = perf_counter_ns()
    for _ in range(COUNT):
        await spawn(nothing)
    return (perf_counter_ns() - begin) / COUNT


async def native_calls():
    begin = perf_counter_ns()
    for _ in range(COUNT):
        await nothing_async()
    return (perf_counter_ns() - begin) / COUNT


def drive(coroutine):
    """Return the result of a coroutine, resuming it until it ends."""
    send = coroutine.send
    try:
        while True:
            send(None)
    except StopIteration as stop:
        return stop.value


async def median_of(measure):
    return statistics.median([await measure() for _ in range(REPETITIONS)])


async def measure_native():
    async def bare():
        return drive(native_loop(suspends))

    return {
        "ready": await median_of(lambda: native_loop(ready)),
        "suspends": await median_of(bare),
        "sleep(0)": await median_of(lambda: native_loop(sleep)),
        "call": await median_of(native_calls),
    }


async def measure(await_, spawn):
    """*spawn* calls a function that may use *await_*."""

    async def spawn_suspends():
        return await spawn(loop_of(await_, suspends))

    async def bare():
        return drive(spawn_suspends())

    return {
        "ready": await median_of(lambda: spawn(loop_of(await_, ready))),
        "suspends": await median_of(bare),
        "sleep(0)": await median_of(lambda: spawn(loop_of(await_, sleep))),
        "call": await median_of(lambda: calls(spawn)),
    }


async def measure_all():
    import greenback
    from sqlalchemy.util import await_only, greenlet_spawn

    figures = {
        "await": await measure_native(),
        "greenback": await measure(greenback.await_, greenback.with_portal_run_sync),
        "SQLAlchemy": await measure(await_only, greenlet_spawn),
    }
    try:
        from greenlet import aio
    except ImportError:
        return figures
    return {"greenlet.aio": await measure(aio.await_, aio.run), **figures}


def make_environments():
    """Return the interpreters of both environments, by the name of their greenlet."""
    from suite import environments

    pythons = environments.make("benchmark-aio", CLIENTS)
    return {"this": pythons[environments.OURS], "reference": pythons[environments.REFERENCE]}


def versions(python):
    program = (
        f"import importlib.metadata as m\nprint(', '.join(n + ' ' + m.version(n) for n in {['greenlet', *CLIENTS]}))"
    )
    return subprocess.run([python, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def measure_in_turn(pythons):
    """Return medians by (environment, package, column)."""
    from suite.compare import on_processor

    samples = {}
    for number in range(ROUNDS):
        for side, python in pythons.items():
            with on_processor(number):
                done = subprocess.run([python, __file__, "--one"], check=True, stdout=subprocess.PIPE, text=True)
            for package, figures in json.loads(done.stdout).items():
                for column, value in figures.items():
                    samples.setdefault((side, package, column), []).append(value)
    return {key: statistics.median(values) for key, values in samples.items()}


def as_text(pythons, medians):
    from suite.pages import table

    rows = []
    for side, package in dict.fromkeys(key[:2] for key in medians):
        cells = []
        for column in COLUMNS:
            value = medians[side, package, column]
            cells.append(f"{value:,.0f} ({value / medians['this', 'greenlet.aio', column]:.2f} x)")
        rows.append([package, side, *cells])
    compared = "; ".join(f"{side}: {versions(python)}" for side, python in pythons.items())
    return f"CPython {sys.version.split()[0]}; {compared}.\n\n{table(['', 'greenlet', *COLUMNS], rows, names=2)}"


def main():
    if sys.argv[1:] == ["--one"]:
        print(json.dumps(asyncio.run(measure_all())))
        return
    if sys.argv[1:] not in ([], ["--page"]):
        sys.exit(__doc__)
    pythons = make_environments()
    text = as_text(pythons, measure_in_turn(pythons))
    print(text)
    if sys.argv[1:]:
        from suite.pages import replace_figures

        replace_figures("aio.md", "benchmarks/aio.py --page", text)


if __name__ == "__main__":
    main()
