"""Threads that use the same generators and coroutines at once, in every way.

usage: generator_threads.py [SECONDS]

Mainly for free-threaded CPython and ThreadSanitizer, but all builds run it. Errors may say that a generator is running,
belongs to another thread, or has ended. The exit status is 0 if nothing else was raised, and no thread hangs.
"""

import asyncio
import collections
import contextlib
import functools
import gc
import random
import sys
import time
import warnings

import together

from greenlet import GreenletExit, error, getcurrent
from greenlet.aio import Coroutine, async_, await_, iter_, portal, run
from greenlet.generators import generator, yield_

THREADS = 4
SHARED = 4  # objects at a time: few, so that threads collide
VALUES = 5
EXPECTED = (StopIteration, error, GeneratorExit, GreenletExit, LookupError)  # and some ValueErrors and RuntimeErrors
MESSAGES = (
    "already executing",
    "ignored GeneratorExit",
    "cannot reuse already awaited",
    "no portal",
    "yield_() outside",
    "bad yield",
)

shared: list = []
bodies: collections.deque = collections.deque(maxlen=3)  # greenlets that generators run in
wrong: list = []
counts = [0] * THREADS


class Waits:
    def __await__(self):
        for i in range(VALUES):
            yield i


class AsynchronousValues:
    def __aiter__(self):
        return self

    async def __anext__(self):
        return 1


@generator
def values(*arguments, **named):
    for i in range(VALUES):
        with contextlib.suppress(LookupError):
            yield_(i)
    return arguments


@generator
def values_and_its_greenlet(*arguments, **named):
    bodies.append(getcurrent())
    for i in range(VALUES):
        yield_(i)


def waits(*arguments, **named):
    with contextlib.suppress(LookupError):
        await_(Waits())
    for _ in zip(iter_(AsynchronousValues()), range(VALUES), strict=False):
        pass
    await_(Waits())


makers = [
    lambda: values([], {}, named=[]),
    lambda: values_and_its_greenlet([], named=[]),
    lambda: run(waits, [], named=[]),
    lambda: portal(Waits()),
    lambda: async_(waits)(),
]

methods = [
    lambda g: g.send(None),
    lambda g: g.send(None),
    lambda g: next(g),
    lambda g: next(g, None),
    lambda g: [value for value, _ in zip(g, range(VALUES), strict=False)],
    lambda g: g.throw(LookupError("thrown")),
    lambda g: g.throw(GeneratorExit),
    lambda g: g.close(),
    lambda g: (g.gi_frame, repr(g), g.__name__, g.__qualname__, g.gi_yieldfrom),
    lambda g: setattr(g, "__name__", "name" * 10),
    lambda g: setattr(g, "__qualname__", "name" * 10),
    lambda g: (g.cr_running, g.cr_suspended) if isinstance(g, Coroutine) else (g.gi_running, g.gi_suspended, g.gi_code),
    lambda g: gc.get_referents(g),
]


def use(choose):
    g = shared[choose.randrange(SHARED)]
    if not hasattr(g, "gi_frame"):
        return  # native generators, which CPython does not allow threads to share
    for _ in range(choose.randrange(1, 6)):
        choose.choice(methods)(g)


def replace(choose):
    shared[choose.randrange(SHARED)] = choose.choice(makers[:4])()


def resume_its_greenlet(choose):
    with contextlib.suppress(IndexError):
        g = bodies[choose.randrange(len(bodies) or 1)]
        choose.choice((g.switch, g.throw))()


def run_a_loop(choose):
    """Includes coroutines of other threads."""

    async def main():
        with contextlib.suppress(TypeError):  # a generator
            await asyncio.wait_for(shared[choose.randrange(SHARED)], 1)

    with contextlib.suppress(TypeError, asyncio.TimeoutError, asyncio.CancelledError):
        asyncio.run(portal(main()))


actions = [use] * 12 + [replace] * 3 + [resume_its_greenlet]


def is_expected(exception):
    told = isinstance(exception, (ValueError, RuntimeError)) and any(text in str(exception) for text in MESSAGES)
    return told or isinstance(exception, EXPECTED)


def work(number, end):
    choose = random.Random(number)
    while time.monotonic() < end and not wrong:
        try:
            choose.choice(actions)(choose)
            if choose.random() < 0.002:
                choose.choice((gc.collect, lambda: run_a_loop(choose)))()
        except BaseException as exception:
            if not is_expected(exception):
                wrong.append(f"thread {number}: {exception!r}")
        counts[number] += 1


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    warnings.simplefilter("ignore")  # coroutines that are never awaited
    sys.unraisablehook = lambda _: None
    shared.extend(make() for make in makers[:SHARED])
    end = time.monotonic() + seconds
    together.run([functools.partial(work, number, end) for number in range(THREADS)], seconds)
    shared.clear()
    gc.collect()
    return together.report("generator_threads", counts, wrong)


if __name__ == "__main__":
    sys.exit(main())
