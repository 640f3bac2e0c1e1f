"""Memory runs out at each allocation in turn, in all operations on greenlets.

usage: allocations.py [SCENARIO...]        needs CPython's own _testcapi

A scenario is a generator. It prepares what it needs up to its first `yield`, which yields the greenlets that it uses.
The rest runs repeatedly: with the first allocation failing, then the second, and so on until none fails; with one
failure, with two in a row, and with all that follow. Only MemoryError may be raised. Afterwards the same greenlet must
be current, another one can be resumed, those of the scenario can be resumed or started, and nothing that was passed to
them is left.

Scenarios create no functions and set no context variables while allocations fail, because CPython up to 3.13 crashes in
both, also without greenlets.
"""

import contextvars
import faulthandler
import gc
import sys
import threading
import weakref
from pathlib import Path

from greenlet import GreenletExit, generators, getcurrent, greenlet, settrace
from greenlet._greenlet import get_total_main_greenlets

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.registry import Registry

scenario = SCENARIOS = Registry()
FIRST_USE = "first_use_in_a_thread"
ENOUGH = 30  # after so many runs in a row without a failure, no allocation is left to fail
MOST = 400


class Witness:
    """An object that is passed around, and that must be freed in the end."""


class Subclass(greenlet):
    """Its instances have a dictionary, and are allocated in another way."""


class WithMethod(greenlet):
    def run(self, *arguments):
        return arguments


def echo(*arguments, **named):
    return arguments, named


def parrot(*arguments, **named):
    value = arguments, named
    while True:
        value = getcurrent().parent.switch(value)


def fails(*arguments):
    raise KeyError


def cleans_up(witness):
    try:
        getcurrent().parent.switch()
    finally:
        witness = [witness]


def trace(event, greenlets):
    pass


def ignore(reference):
    pass


def waiting(cls=greenlet, *arguments):
    g = cls(parrot)
    g.switch(*arguments)
    return g


@scenario
def create(witness):
    yield []
    greenlet(echo)


@scenario
def create_subclass(witness):
    yield []
    Subclass(echo)


@scenario
def start(witness):
    g = greenlet(echo)
    yield [g]
    g.switch(witness)


@scenario
def start_with_many_arguments(witness):
    g = greenlet(echo)
    yield [g]
    g.switch(1, 2, 3, 4, 5, 6, witness, k=witness)


@scenario
def start_with_unpacked_arguments(witness):
    g = greenlet(echo)
    positional, named = (witness,) * 9, {"k": witness}
    yield [g]
    g.switch(*positional, **named)


@scenario
def start_method(witness):
    g = WithMethod()
    yield [g]
    g.switch(witness)


@scenario
def start_deep(witness):
    # So deep that the interpreter has to allocate memory for frames.
    def down(levels):
        return down(levels[0]) if levels else echo(witness)

    g, levels = greenlet(down), ()
    for _ in range(900):
        levels = (levels,)
    yield [g]
    g.switch(levels)


@scenario
def pass_values(witness):
    g = waiting()
    positional, named = (witness,) * 9, {"k": witness}
    yield [g]
    g.switch(witness)
    g.switch(1, witness)
    g.switch(k=witness)
    g.switch(witness, k=witness)
    g.switch()
    g.switch(*positional, **named)


@scenario
def switch_below_c_functions(witness):
    g = waiting()
    values = [witness] * 3
    yield [g]
    list(map(g.switch, values))


@scenario
def throw(witness):
    g = waiting(greenlet, witness)
    yield [g]
    try:
        g.throw(ValueError, "x")
    except ValueError:
        pass


@scenario
def throw_into_unstarted(witness):
    g, exception = greenlet(echo), ValueError(witness)
    yield [g]
    try:
        g.throw(exception)
    except ValueError:
        pass


@scenario
def throw_into_finished(witness):
    g = greenlet(echo)
    g.switch()
    yield [g]
    g.throw()


@scenario
def end(witness):
    g = waiting(greenlet, witness)
    yield [g]
    g.throw()


@scenario
def end_unstarted(witness):
    g = greenlet(echo)
    yield [g]
    g.throw()


@scenario
def end_with_exception(witness):
    g = greenlet(fails)
    yield [g]
    try:
        g.switch(witness)
    except KeyError:
        pass


@scenario
def end_into_unstarted_parents(witness):
    first = greenlet(echo)
    second = WithMethod(parent=first)
    g = greenlet(echo, second)
    yield [first, second, g]
    g.switch(witness)


@scenario
def end_with_exception_into_unstarted_parents(witness):
    first = greenlet(echo)
    second = greenlet(echo, first)
    g = greenlet(fails, second)
    yield [first, second, g]
    try:
        g.switch(witness)
    except KeyError:
        pass


@scenario
def drop(witness):
    greenlets = [waiting(greenlet, witness) for _ in range(3)]
    yield []
    greenlets.clear()


@scenario
def drop_subclass(witness):
    greenlets = [waiting(Subclass, witness) for _ in range(3)]
    yield []
    greenlets.clear()


@scenario
def collect_garbage(witness):
    g = greenlet(cleans_up)
    witness.greenlet = g
    g.switch(witness)
    del g, witness
    yield []
    gc.collect()


@scenario
def weak_reference(witness):
    g = waiting(greenlet, witness)
    yield []
    weakref.ref(g, ignore)
    del g


@scenario
def traced_switch(witness):
    g = waiting()
    settrace(trace)
    yield [g]
    g.switch(witness)


@scenario
def traced_start_and_throw(witness):
    g, exception = greenlet(parrot), ValueError(witness)
    settrace(trace)
    yield [g]
    g.switch(witness)
    try:
        g.throw(exception)
    except ValueError:
        pass


@scenario
def contexts(witness):
    g, context = greenlet(parrot), contextvars.copy_context()
    yield [g]
    g.gr_context = context
    g.switch(witness)
    g.gr_context
    g.gr_context = None
    getcurrent().gr_context


@scenario
def look_at_frames(witness):
    g = waiting(greenlet, witness)
    yield [g]
    frame = g.gr_frame
    while frame is not None:
        frame = frame.f_back
    repr(g)


@scenario
def attributes(witness):
    g = greenlet()
    yield [g]
    g.run = echo
    g.parent = getcurrent()
    g.attribute = witness
    del g.run


@scenario
def wrong_use(witness):
    attempts = [greenlet(5).switch, greenlet().switch, waiting().throw]
    yield []
    for attempt in attempts:
        try:
            attempt(witness)
        except (TypeError, AttributeError):
            pass


def start_inner():
    return greenlet(parrot).switch()


@scenario
def nested(witness):
    g = greenlet(start_inner)
    yield [g]
    g.switch()


@generators.generator
def three():
    for i in range(3):
        generators.yield_(i)


@scenario
def stackful_generator(witness):
    contextvars.copy_context()  # creates the thread's own context, because CPython 3.11 crashes if that fails
    yield []
    for _ in three():
        pass


def failing(first, number, steps):
    """Resume a scenario while *number* allocations from the *first* on fail. Returns the exception's class, or None."""
    import _testcapi

    _testcapi.set_nomemory(first, first + number)
    try:
        next(steps, None)
    except BaseException as exception:
        _testcapi.remove_mem_hooks()
        return type(exception)
    finally:
        _testcapi.remove_mem_hooks()
    return None


def attempt(function, first, number):
    """Run a scenario with *number* allocations from the *first* on failing. Returns whether it completed."""
    main, bystander, witness = getcurrent(), waiting(), Witness()
    watch = weakref.ref(witness)
    steps = function(witness)
    greenlets = next(steps)
    del witness
    failure = failing(first, number, steps)
    settrace(None)
    assert failure in (None, MemoryError), failure
    assert getcurrent() is main
    assert bystander.switch("still") == (("still",), {}) or bystander.switch("there") == "there"
    del steps
    while greenlets:
        g = greenlets.pop()
        try:
            g.throw(GreenletExit)
        except (AttributeError, MemoryError):
            pass  # raised by starting an unstarted parent
        assert g.dead or not g
        del g
    gc.collect()
    gc.collect()
    assert watch() is None, gc.get_referrers(watch())
    return failure is None


def attempt_first_use(function, first, number):
    """Like attempt(), but the scenario is a new thread's first use of greenlets, below Context.run()."""

    def target():
        steps = function(None)
        next(steps)
        failures.append(contextvars.copy_context().run(failing, first, number, steps))
        again.append(greenlet(echo).switch(1))

    failures, again = [], []
    before = get_total_main_greenlets()
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    del thread
    assert failures in ([None], [MemoryError]), failures
    assert again == [((1,), {})]
    assert get_total_main_greenlets() == before
    return failures == [None]


def use_first(witness):
    yield
    getcurrent()
    greenlet(echo).switch()


def exhaust(name, number):
    """Run a scenario until it has completed ENOUGH times in a row. Returns how often it failed."""
    failures = in_a_row = 0
    for first in range(MOST):
        if (
            attempt_first_use(use_first, first, number)
            if name == FIRST_USE
            else attempt(SCENARIOS[name], first, number)
        ):
            in_a_row += 1
            if in_a_row == ENOUGH:
                return failures
        else:
            in_a_row = 0
            failures += 1
    raise AssertionError(f"{name} never completes")


def main():
    faulthandler.enable()
    gc.disable()
    sys.unraisablehook = lambda _: None  # a MemoryError that nobody can catch
    for name in sys.argv[1:] or [*SCENARIOS, FIRST_USE]:
        counts = [exhaust(name, number) for number in (1, 2, 10**6)]
        print(f"{name}: {' + '.join(map(str, counts))} failures", flush=True)


if __name__ == "__main__":
    main()
