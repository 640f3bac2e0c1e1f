"""What awaiting from an ordinary function costs, beside greenback and SQLAlchemy's greenlet_spawn/await_only.

usage: python benchmarks/aio.py PYTHON [PYTHON ...]
       python benchmarks/aio.py --one

Each PYTHON is an interpreter with some of the packages: greenlet (this package or the reference), greenback,
sqlalchemy. They are measured in fresh processes, in turn; the table shows the medians of the rounds, in
nanoseconds. `--one` measures the running interpreter once, and prints the figures as JSON.

Under asyncio, in one task:
  ready     await of a coroutine that returns at once
  suspends  await of asyncio.sleep(0): once around the event loop
  call      a call, from a coroutine, of a function that awaits nothing
and without an event loop, where the packages allow it:
  bare      await of something that yields once, driven by coroutine.send()
The first line is what `await` itself takes in a coroutine.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import types
from time import perf_counter_ns

ROUNDS = 7
COUNT = 5_000
REPETITIONS = 5


async def ready():
    return 1


@types.coroutine
def suspend():
    yield


def nothing():
    return 1


def median_of(measure):
    return statistics.median(measure() for _ in range(REPETITIONS))


def loop_of(await_, make):
    """A function that awaits COUNT times, and gives nanoseconds for each."""

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


def drive(coroutine):
    """The result of a coroutine that waits for nothing in particular."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value


async def measure_native():
    return {
        "ready": statistics.median([await native_loop(ready) for _ in range(REPETITIONS)]),
        "suspends": statistics.median([await native_loop(lambda: asyncio.sleep(0)) for _ in range(REPETITIONS)]),
        "bare": median_of(lambda: drive(native_loop(suspend))),
    }


async def measure(await_, spawn, works_without_loop):
    """*spawn* calls a function in which *await_* can be used."""
    figures = {
        "ready": statistics.median([await spawn(loop_of(await_, ready)) for _ in range(REPETITIONS)]),
        "suspends": statistics.median(
            [await spawn(loop_of(await_, lambda: asyncio.sleep(0))) for _ in range(REPETITIONS)]),
        "call": statistics.median([await calls(spawn) for _ in range(REPETITIONS)]),
    }
    if works_without_loop:
        async def bare():
            return await spawn(loop_of(await_, suspend))

        figures["bare"] = median_of(lambda: drive(bare()))
    return figures


async def measure_all():
    figures = {"await": await measure_native()}
    try:
        from greenlet import aio
    except ImportError:
        pass
    else:
        figures["greenlet.aio"] = await measure(aio.await_, aio.run, True)
    try:
        from sqlalchemy.util import await_only, greenlet_spawn
    except ImportError:
        pass
    else:
        figures["sqlalchemy"] = await measure(await_only, greenlet_spawn, True)
    try:
        import greenback
    except ImportError:
        pass
    else:
        figures["greenback"] = await measure(greenback.await_, greenback.with_portal_run_sync, False)
    return figures


def packages(python):
    script = ("import sys, importlib.metadata as m; "
              "print(sys.version.split()[0], 'greenlet', __import__('greenlet').__version__)")
    return subprocess.run([python, "-c", script], check=True, capture_output=True, text=True).stdout.strip()


def main():
    if sys.argv[1:] == ["--one"]:
        print(json.dumps(asyncio.run(measure_all())))
        return
    if not sys.argv[1:]:
        sys.exit(__doc__)
    samples = {}
    for _ in range(ROUNDS):
        for python in sys.argv[1:]:
            done = subprocess.run([python, __file__, "--one"], check=True, capture_output=True, text=True)
            for name, figures in json.loads(done.stdout).items():
                for what, value in figures.items():
                    samples.setdefault((python, name), {}).setdefault(what, []).append(value)
    columns = ("ready", "suspends", "call", "bare")
    for python in sys.argv[1:]:
        print(f"\nCPython {packages(python)}; ns\n{'':14}" + "".join(f"{column:>10}" for column in columns))
        for (other, name), figures in samples.items():
            if other == python:
                cells = (f"{statistics.median(figures[c]):10.0f}" if c in figures else f"{'-':>10}" for c in columns)
                print(f"{name:14}" + "".join(cells))


if __name__ == "__main__":
    main()
