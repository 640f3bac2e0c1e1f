"""The cost of a switch depending on the number of greenlets: there and back, in random order.

The data of two tasks fits into the first-level cache. That of thousands does not: the time is then that of the memory.
"""

import random

from suite import Loop, Row

NUMBERS = (10, 100, 500, 1_000, 3_000, 10_000, 50_000)
QUICK = (10, 1_000, 10_000)
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


def title(kind: str, number: int) -> str:
    return f"there and back among {number:,} {kind}"


ROWS = [
    Row(title(make.__name__, number), lambda make=make, number=number: make(number), number, is_quick=number in QUICK)
    for number in NUMBERS
    for make in (greenlets, generators)
]
