"""Ways to switch between two tasks: greenlets, generators, asyncio and threads."""

import threading

from table import UNROLLED, loop_of

from suite import Loop, Row, switching

NESTINGS = (1, 4, 5, 10, 20)


def greenlet_round_trip(nesting: int) -> Loop:
    return switching.switch(switching.descend, nesting)


def greenlet_round_trip_with_value() -> Loop:
    return loop_of("switch(None)", switch=switching.partner_of(back_with_value).switch)


def back_with_value() -> None:
    switching.back_forever("None")


def generator_send(nesting: int) -> Loop:
    """Sends to the innermost of nested generators."""

    def outer(levels):
        if levels > 1:
            yield from outer(levels - 1)
        while True:
            yield

    generator = outer(nesting)
    next(generator)
    return loop_of("send(None)", send=generator.send)


def asyncio_switch() -> Loop:
    """Two tasks that yield to each other."""
    import asyncio

    event_loop = asyncio.new_event_loop()

    def loop(count):
        async def task():
            for _ in range(count * UNROLLED):
                await asyncio.sleep(0)

        async def both():
            await asyncio.gather(task(), task())

        event_loop.run_until_complete(both())

    return loop


def thread_hand_off() -> Loop:
    """Two threads that wait for each other in turns."""

    def loop(count):
        mine, other = threading.Lock(), threading.Lock()
        mine.acquire()
        other.acquire()

        def answer():
            for _ in range(count):
                other.acquire()
                mine.release()

        thread = threading.Thread(target=answer)
        thread.start()
        for _ in range(count):
            other.release()
            mine.acquire()
        thread.join()

    return loop


ROWS = [
    *(
        Row(
            f"greenlet, {nesting} deep",
            lambda nesting=nesting: greenlet_round_trip(nesting),
            UNROLLED,
            is_quick=nesting == 1,
        )
        for nesting in (1, 20)
    ),
    Row("greenlet, 1 deep, with a value", greenlet_round_trip_with_value, UNROLLED),
    *(
        Row(
            f"generator.send(), {nesting} deep",
            lambda nesting=nesting: generator_send(nesting),
            UNROLLED,
            is_quick=nesting in (1, 4, 10),
        )
        for nesting in NESTINGS
    ),
    Row("asyncio task switch", asyncio_switch, UNROLLED),
    Row("thread hand-off", thread_hand_off, 1),
]
