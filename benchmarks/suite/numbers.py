"""What a switch costs by the number of those that are switched among: there and back in random order, or around a ring.

The data of two tasks fits into the first-level cache. That of thousands does not: the time is then that of the memory.
"""

import random
from collections.abc import Callable

from suite import Loop, Row
from suite.switching import at_once

NUMBERS = (10, 100, 500, 1_000, 3_000, 10_000, 50_000)
QUICK = (10, 1_000, 10_000)
RINGS = (10, 100, 1_000, 10_000, 50_000)
THREADS = (1, 2)
TRIPS = 100_000  # that threads make between waiting for each other, which takes time too
SEED = 1


def call_each(functions: list) -> Loop:
    random.Random(SEED).shuffle(functions)

    def loop(count):
        for _ in range(count):
            for function in functions:
                function()

    return loop


def greenlets(number: int) -> Loop:
    """Switches from the main greenlet to each in turn, which switches back."""
    from greenlet import getcurrent, greenlet

    def switch_forever(switch):
        while True:
            switch()

    functions = []
    for _ in range(number):
        each = greenlet(switch_forever)
        each.switch(getcurrent().switch)
        functions.append(each.switch)
    return call_each(functions)


def generators(number: int) -> Loop:
    """Takes a value from each in turn."""

    def yield_forever():
        while True:
            yield

    functions = []
    for _ in range(number):
        each = yield_forever()
        next(each)
        functions.append(each.__next__)
    return call_each(functions)


def ring(number: int) -> Loop:
    """From the main greenlet to the first of them, from each to the one created next, from the last to the main one."""
    from greenlet import getcurrent, greenlet

    start = getcurrent().switch
    switches = []

    def switch_forever(following):
        start()
        switch = switches[following]
        while True:
            switch()

    for following in range(1, number + 1):
        each = greenlet(switch_forever)
        each.switch(following)
        switches.append(each.switch)
    switches.append(start)
    first = switches[0]

    def loop(count):
        for _ in range(count):
            first()

    return loop


def trips_at_once(threads: int, make: Callable[[int], Loop], number: int) -> Loop:
    """Each thread goes there and back TRIPS times, among greenlets or generators of its own."""

    def prepare():
        loop = make(number)
        return lambda count: loop(count * (TRIPS // number))

    return at_once(threads, prepare)


def title(kind: str, number: int) -> str:
    return f"there and back among {number:,} {kind}"


def ring_title(number: int) -> str:
    return f"one way around a ring of {number:,} greenlets"


def threads_title(kind: str, number: int, threads: int) -> str:
    return f"{title(kind, number)} of its own, threads: {threads}"


ROWS = [
    Row(title(make.__name__, number), lambda make=make, number=number: make(number), number, is_quick=number in QUICK)
    for number in NUMBERS
    for make in (greenlets, generators)
]
ROWS += [Row(ring_title(number), lambda number=number: ring(number), number + 1) for number in RINGS]
ROWS += [
    Row(
        threads_title(make.__name__, number, threads),
        lambda make=make, number=number, threads=threads: trips_at_once(threads, make, number),
        threads * (TRIPS // number * number),
        has_threads=True,
    )
    for number in NUMBERS
    for make in (greenlets, generators)
    for threads in THREADS
]
