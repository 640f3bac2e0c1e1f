"""Generators and other greenlets resume each other."""

import contextlib
import gc
import sys

import pytest
from support.generators import count_to
from support.processes import output_of

import greenlet
from greenlet import getcurrent
from greenlet.generators import generator, yield_


def test_it_can_be_resumed_by_different_greenlets():
    g = count_to(3)
    assert [greenlet.greenlet(lambda: next(g)).switch() for _ in range(3)] == [1, 2, 3]


def test_a_greenlet_that_the_function_started_can_yield():
    @generator
    def starts_another():
        def run(a):
            b = yield_(a)
            return yield_(b)

        return greenlet.greenlet(run).switch("first")

    g = starts_another()
    assert next(g) == "first"
    assert g.send("second") == "second"
    with pytest.raises(StopIteration) as end:
        g.send("third")
    assert end.value.value == "third"


def test_such_a_greenlet_gets_what_is_thrown_and_passes_it_on():
    log = []

    @generator
    def starts_another():
        def run():
            with contextlib.suppress(KeyError):
                yield_(1)
            try:
                yield_(2)
            finally:
                log.append("inner")

        try:
            greenlet.greenlet(run).switch()
        finally:
            log.append("outer")

    g = starts_another()
    next(g)
    assert g.throw(KeyError) == 2
    g.close()
    assert log == ["inner", "outer"]


def test_the_function_may_wait_in_another_greenlet():
    """The function switches to an event loop in another greenlet, which switches back."""

    def loop():
        while True:
            waiting.pop().switch("event")

    waiting = []
    hub = greenlet.greenlet(loop)

    @generator
    def waits():
        for _ in range(2):
            waiting.append(getcurrent())
            yield_(hub.switch())

    assert list(waits()) == ["event", "event"]


def test_who_switches_to_the_caller_meanwhile_is_switched_on_to_the_function():
    main = getcurrent()
    log = []

    def hub_run():
        log.append(consumer.switch("for the consumer"))

    hub = greenlet.greenlet(hub_run, parent=main)

    @generator
    def waits():
        yield_(hub.switch())

    consumer = greenlet.greenlet(lambda: list(waits()))
    assert consumer.switch() == ["for the consumer"]


@pytest.fixture
def waiting_consumer():
    """A suspended greenlet that iterates over a generator that waits before its next value; and their log."""
    log = []
    main = getcurrent()

    @generator
    def waits():
        yield_(1)
        try:
            main.switch()
        finally:
            log.append("generator")

    def consume():
        try:
            for _ in waits():
                pass
        finally:
            log.append("consumer")

    box = [greenlet.greenlet(consume)]
    box[0].switch()
    return box, log


def test_so_is_an_exception_thrown_into_the_caller(waiting_consumer):
    (consumer,), log = waiting_consumer
    consumer.throw()
    assert consumer.dead
    assert log == ["generator", "consumer"]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the depth of a frame's value stack is not recorded")
def test_both_are_collected_when_nobody_can_resume_them(waiting_consumer):
    box, log = waiting_consumer
    box.clear()
    gc.collect()
    assert log == ["generator", "consumer"]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the depth of a frame's value stack is not recorded")
def test_the_generator_may_be_collected_before_the_greenlet_that_waits_for_it():
    # The greenlet was once freed before its parent was restored: crash.
    assert (
        output_of(
            """
        import gc
        from greenlet import getcurrent, greenlet
        from greenlet.generators import generator, yield_

        main = getcurrent()

        @generator
        def older():
            yield_()
            try:
                main.switch()
            finally:
                print("generator")

        def consume(g):
            try:
                for _ in g:
                    pass
            finally:
                print("consumer")

        g = older()
        next(g)
        box = [greenlet(consume)]
        box[0].switch(g)
        del box, g
        gc.collect()
        """
        )
        == "generator\nconsumer\n"
    )


def test_a_greenlet_whose_parent_is_a_suspended_generator_may_resume_it():
    """Parents and resumers form a ring."""

    @generator
    def starts_another():
        main = getcurrent().parent

        def run():
            main.switch("back")
            return list(g)

        child = greenlet.greenlet(run)
        children.append(child)
        yield_(child.switch())
        yield_("more")
        yield_(1)

    children = []
    g = starts_another()
    main = getcurrent()

    # The child switches to the main greenlet while the generator runs, so next() returns this value.
    assert next(g) == "back"
    (child,) = children
    child.parent = main
    assert child.switch() == ["more", 1]


def raise_and_catch(*arguments):
    with contextlib.suppress(ValueError):
        int("x")


@pytest.mark.timeout(60, method="thread")
@pytest.mark.parametrize("tracer", [None, raise_and_catch])
def test_generators_that_wait_for_each_other(tracer):
    # The greenlets of both were once resumed in turns permanently. With a tracer that raises an exception, CPython
    # searched for the handled exception endlessly.
    @generator
    def outer():
        gives = greenlet.greenlet(lambda: yield_("given by another one"))
        greenlets.append(gives)
        try:
            next(inner_generator)
        except greenlet.error as error:
            errors.append(str(error))

    @generator
    def inner():
        greenlets.append(getcurrent())
        greenlets[0].switch()
        errors.extend(outer_generator)

    greenlets, errors = [], []
    outer_generator, inner_generator = outer(), inner()
    assert next(outer_generator) == "given by another one"
    greenlet.settrace(tracer)
    try:
        greenlets[1].switch()
    finally:
        greenlet.settrace(None)
    assert errors == ["the generator waits for the greenlet that resumed it"]
    assert list(outer_generator) == []


def test_a_tracer_that_has_the_generator_give_a_value_to_itself():
    # The consumer once took the generator for finished, and released its greenlet.
    @generator
    def function():
        bodies.append(getcurrent())
        main.switch()
        yield_("for the tracer")
        yield_("for the consumer")

    def trace(event, greenlets):
        if greenlets[1] is consumer and bodies:
            given.append(bodies.pop().switch())

    main = getcurrent()
    bodies, given = [], []
    g = function()
    consumer = greenlet.greenlet(lambda: [next(g), next(g), next(g, "end")])
    consumer.switch()
    greenlet.settrace(trace)
    try:
        values = consumer.switch("from somebody else")
    finally:
        greenlet.settrace(None)
    assert given == ["for the tracer"]
    assert values == ["from somebody else", "for the consumer", "end"]


def test_a_tracer_that_has_the_generator_run_for_somebody_else():
    # The consumer that started it once assumed that the start had failed, and released its greenlet: crash.
    @generator
    def function():
        bodies.append(getcurrent())
        main.switch()
        yield_("for the tracer")
        main.switch("runs for the other one")
        yield_("for the other one")

    def trace(event, greenlets):
        if greenlets[1] is consumer and bodies:
            assert bodies.pop().switch() == "for the tracer"
            other.switch()

    main = getcurrent()
    bodies = []
    g = function()
    consumer = greenlet.greenlet(lambda: next(g))
    other = greenlet.greenlet(lambda: next(g))
    consumer.switch()
    greenlet.settrace(trace)
    try:
        assert consumer.switch("from somebody else") == "runs for the other one"
        assert consumer.switch() == "from somebody else"
    finally:
        greenlet.settrace(None)
    assert g.gi_running
    assert other.switch() == "for the other one"
