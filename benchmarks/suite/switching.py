"""What a switch costs: how deep, with what arguments, with what set."""

import threading
from collections.abc import Callable

from table import UNROLLED, loop_of

from suite import Loop, Row

THERE_AND_BACK = 2 * UNROLLED


def back_forever(*arguments: str) -> Loop:
    """Make the current greenlet switch to the main greenlet repeatedly."""
    from greenlet import getcurrent

    main = getcurrent()
    while main.parent is not None:
        main = main.parent
    back = loop_of(f"switch({', '.join(arguments)})", switch=main.switch)
    while True:
        back(1 << 20)


def partner_of(function, *arguments):
    """Return a greenlet that has started function(*arguments), and has switched back once."""
    from greenlet import greenlet

    partner = greenlet(function)
    partner.switch(*arguments)
    return partner


def descend(levels: int, then) -> None:
    if levels > 1:
        descend(levels - 1, then)
    else:
        then()


def descend_through_c(levels: int, then) -> None:
    """Each level calls C code, which calls Python code."""
    from functools import partial

    if levels > 0:
        partial(descend_through_c, levels - 1)(then)
    else:
        then()


def switch(descent, levels: int) -> Loop:
    return loop_of("switch()", switch=partner_of(descent, levels, back_forever).switch)


def switch_from_deep_to_deep() -> Loop:
    partner = partner_of(descend, 100, back_forever)
    to_and_fro = loop_of("switch()", switch=partner.switch)

    def loop(count):
        descend(100, lambda: to_and_fro(count))

    return loop


def switch_with(*arguments: str) -> Loop:
    return loop_of(f"switch({', '.join(arguments)})", switch=partner_of(back_forever, *arguments).switch)


def switch_traced() -> Loop:
    from greenlet import settrace

    partner = partner_of(back_forever)
    settrace(lambda event, greenlets: None)
    return loop_of("switch()", switch=partner.switch)


def throw_and_catch() -> Loop:
    from greenlet import getcurrent

    def catch_forever(back):
        while True:
            try:
                back()
            except ValueError:
                pass

    return loop_of("throw(error)", throw=partner_of(catch_forever, getcurrent().switch).throw, error=ValueError)


def getcurrent() -> Loop:
    from greenlet import getcurrent

    return loop_of("getcurrent()", getcurrent=getcurrent)


def frame_of_suspended() -> Loop:
    return loop_of("partner.gr_frame", partner=partner_of(descend, 30, back_forever))


def walk_of_frames() -> Loop:
    partner = partner_of(descend, 30, back_forever)

    def loop(count):
        for _ in range(count):
            frame = partner.gr_frame
            while frame is not None:
                frame = frame.f_back

    return loop


def context_variable() -> Loop:
    from contextvars import ContextVar

    from greenlet import getcurrent

    variable = ContextVar("variable")
    statement = "set(name)\n        switch()\n        get()"

    def partner(switch):
        use = loop_of(statement, switch=switch, name="partner", set=variable.set, get=variable.get)
        while True:
            use(1 << 20)

    return loop_of(
        statement,
        switch=partner_of(partner, getcurrent().switch).switch,
        name="main",
        set=variable.set,
        get=variable.get,
    )


def switch_from_c(same_function: bool) -> Loop:
    """*same*: whether both sides run the same function, whose returns the processor predicts better."""
    import greenlet_benchmark

    from greenlet import getcurrent

    if same_function:
        partner = partner_of(greenlet_benchmark.switch_to, getcurrent(), 1 << 62)
    else:
        partner = partner_of(greenlet_benchmark.switch_forever, getcurrent())

    def loop(count):
        greenlet_benchmark.switch_to(partner, count * UNROLLED)

    return loop


def at_once(threads: int, prepare: Callable[[], Loop]) -> Loop:
    """Each thread does what it has prepared itself."""
    meet = threading.Barrier(threads + 1)
    wanted = 0

    def work():
        loop = prepare()
        while True:
            meet.wait()
            loop(wanted)
            meet.wait()

    for _ in range(threads):
        threading.Thread(target=work, daemon=True).start()

    def loop(count):
        nonlocal wanted
        wanted = count
        meet.wait()
        meet.wait()

    return loop


def threads_at_once(number: int) -> Loop:
    """Each thread switches to and fro between two greenlets of its own."""
    return at_once(number, lambda: loop_of("switch()", switch=partner_of(back_forever).switch))


ONE_THREAD = "switch, one thread"
TWO_THREADS = "switch, two threads at once"

ROWS = [
    Row("switch, 1 Python frame deep", lambda: switch(descend, 1), THERE_AND_BACK, 8, True),
    Row("switch, 10 Python frames deep", lambda: switch(descend, 10), THERE_AND_BACK),
    Row("switch, 50 Python frames deep", lambda: switch(descend, 50), THERE_AND_BACK),
    Row(
        "switch, 100 Python frames deep",
        lambda: switch(descend, 100),
        THERE_AND_BACK,
        {12: 25, 13: 25, 14: 25, 15: 25},
        True,
    ),
    Row(
        "switch, 300 Python frames deep",
        lambda: switch(descend, 300),
        THERE_AND_BACK,
        {12: 60, 13: 60, 14: 60, 15: 60},
        True,
    ),
    Row("switch, both sides 100 Python frames deep", switch_from_deep_to_deep, THERE_AND_BACK),
    Row("switch, 10 nested C calls deep", lambda: switch(descend_through_c, 10), THERE_AND_BACK),
    Row(
        "switch, 50 nested C calls deep",
        lambda: switch(descend_through_c, 50),
        THERE_AND_BACK,
        {11: 20, 13: 45, 14: 45, 15: 45},
        True,
    ),
    Row("switch, with one argument", lambda: switch_with("1"), THERE_AND_BACK, 1, True),
    Row("switch, with three arguments", lambda: switch_with("1", "2", "3"), THERE_AND_BACK),
    Row("switch, with two keyword arguments", lambda: switch_with("a=1", "b=2"), THERE_AND_BACK),
    Row("switch, a trace function set", switch_traced, THERE_AND_BACK),
    Row("switch, a context variable set and read", context_variable, THERE_AND_BACK),
    Row("PyGreenlet_Switch from C", lambda: switch_from_c(True), THERE_AND_BACK, 8, True),
    Row("PyGreenlet_Switch from two functions in C", lambda: switch_from_c(False), THERE_AND_BACK),
    Row("throw and catch, there and back", throw_and_catch, UNROLLED, 3, True),
    Row("getcurrent()", getcurrent, UNROLLED, 1, True),
    Row("gr_frame", frame_of_suspended, UNROLLED),
    Row("gr_frame and 30 times f_back", walk_of_frames, 1),
    Row(ONE_THREAD, lambda: threads_at_once(1), THERE_AND_BACK, has_threads=True),
    Row(TWO_THREADS, lambda: threads_at_once(2), 2 * THERE_AND_BACK, has_threads=True),
]
