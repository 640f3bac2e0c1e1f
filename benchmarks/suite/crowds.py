"""What many greenlets cost besides switches: collections, turns that gevent gives them, looks at their frames."""

import gc
import time
from collections.abc import Callable

from suite import Loop, Row
from suite.clients import import_gevent
from suite.memory import park
from suite.switching import descend

FRAMES = 30  # that each is deep
COLLECTED = (1_000, 10_000, 50_000)
TAKING_TURNS = (1_000, 10_000)
FRAMES_OF_TURNS = 20
WALKED = 5_000


def descend_with_lists(levels: int, then, own: list) -> None:
    """Each frame has a list of its own."""
    if levels > 1:
        descend_with_lists(levels - 1, then, [levels])
    else:
        then()


def greenlets_with_lists(number: int, frames: int) -> list:
    from greenlet import getcurrent, greenlet

    wait = getcurrent().switch
    made = [greenlet(descend_with_lists) for _ in range(number)]
    for each in made:
        each.switch(frames, wait, [frames])
    return made


def generators_with_lists(number: int, frames: int) -> list:
    """Each is the outermost of a chain of native generators that delegate to each other."""

    def chain(levels, own):
        if levels > 1:
            yield from chain(levels - 1, [levels])
        else:
            yield

    made = [chain(frames, [frames]) for _ in range(number)]
    for each in made:
        next(each)
    return made


def collection(number: int, make: Callable[[int, int], list]) -> Loop:
    """A full collection that examines what many need, and nothing else."""
    gc.collect()
    gc.freeze()
    gc.disable()
    made = make(number, FRAMES)

    def loop(count):
        for _ in range(count):
            gc.collect()
        assert len(made) == number  # keeps them

    return loop


def turns(number: int, frames: int) -> Loop:
    """A turn of each of many gevent greenlets, so many frames deep, and of the main one."""
    gevent = import_gevent()
    sleep = gevent.sleep

    def sleep_forever():
        while True:
            sleep(0)

    for _ in range(number):
        gevent.spawn(descend, frames, sleep_forever)

    def loop(count):
        for _ in range(count):
            sleep(0)

    return loop


def first_walk(number: int, frames: int) -> float:
    """Nanoseconds a frame, to look at all frames of so many greenlets for the first time."""
    gc.disable()
    park(1, frames)
    greenlets = park(number, frames)
    seen = 0
    start = time.perf_counter_ns()
    for each in greenlets:
        frame = each.gr_frame
        while frame is not None:
            seen += 1
            frame = frame.f_back
    elapsed = time.perf_counter_ns() - start
    assert seen == number * frames, seen
    return elapsed / seen


def collection_title(kind: str, number: int) -> str:
    return f"full collection, {number:,} {kind}, {FRAMES} deep"


def turns_title(number: int) -> str:
    return f"gevent sleep(0), {FRAMES_OF_TURNS} frames deep, {number:,} greenlets"


ROWS = [
    Row(collection_title(kind, number), lambda number=number, make=make: collection(number, make))
    for number in COLLECTED
    for kind, make in (("greenlets", greenlets_with_lists), ("generators", generators_with_lists))
]
ROWS += [
    Row(turns_title(number), lambda number=number: turns(number, FRAMES_OF_TURNS), number + 1)
    for number in TAKING_TURNS
]
