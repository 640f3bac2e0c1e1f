"""close(), and the end of unreferenced generators."""

import gc
import sys
import weakref

import pytest
from support.generators import count_to
from support.processes import output_of

import greenlet
from greenlet import getcurrent
from greenlet.generators import generator, yield_


@generator
def logs_its_end(log):
    try:
        yield_(1)
        yield_(2)
    except BaseException as error:
        log.append(type(error))
        raise
    finally:
        log.append("finally")


def test_close_raises_generator_exit():
    log = []
    g = logs_its_end(log)
    next(g)
    assert g.close() is None
    assert log == [GeneratorExit, "finally"]
    assert list(g) == []
    assert g.close() is None


def test_close_of_one_that_has_not_begun_does_not_begin_it():
    log = []
    g = logs_its_end(log)
    assert g.close() is None
    assert log == []
    assert list(g) == []


def test_close_returns_what_the_function_returns():
    @generator
    def returns():
        try:
            yield_(1)
        except GeneratorExit:
            return "result"

    g = returns()
    next(g)
    assert g.close() == "result"


def test_close_passes_other_exceptions_on():
    @generator
    def fails():
        try:
            yield_(1)
        finally:
            raise LookupError

    g = fails()
    next(g)
    with pytest.raises(LookupError):
        g.close()


def test_close_of_one_that_yields_once_more():
    @generator
    def stubborn():
        try:
            yield_(1)
        except GeneratorExit:
            yield_(2)

    g = stubborn()
    next(g)
    with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
        g.close()
    assert list(g) == []


def test_it_is_closed_when_the_last_reference_goes():
    log = []
    g = logs_its_end(log)
    next(g)
    del g
    assert log == [GeneratorExit, "finally"]


def test_it_is_closed_when_it_is_garbage():
    log = []

    @generator
    def refers_to_itself(box):
        itself = box.pop()
        yield_(1)
        assert itself is not None

    @generator
    def logging():
        try:
            box = []
            box.append(logs_its_end(log))
            yield_(box)
        finally:
            log.append("outer")

    g = logging()
    box = next(g)
    next(box[0])
    box.append(g)
    del box, g
    gc.collect()
    assert log.count("finally") == 1
    assert log.count("outer") == 1
    assert log.count(GeneratorExit) == 1


def test_an_exception_at_its_end_is_unraisable(monkeypatch):
    reports = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append((type(report.exc_value), report.object)))

    @generator
    def fails():
        try:
            yield_(1)
        finally:
            raise LookupError

    g = fails()
    next(g)
    del g
    assert [kind for kind, _ in reports] == [LookupError]


def test_what_its_frames_refer_to_goes_with_it():
    class Thing:
        pass

    @generator
    def holds(thing):
        yield_(1)
        del thing

    thing = Thing()
    gone = weakref.ref(thing)
    g = holds(thing)
    del thing
    next(g)
    assert gone() is not None
    g.close()
    gc.collect()
    assert gone() is None


def test_one_that_never_began_releases_its_arguments():
    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    g = count_to(thing)
    del thing
    g.close()
    assert gone() is None


def test_a_suspended_one_does_not_keep_the_greenlet_alive_that_used_it():
    g = count_to(3)
    consumer = greenlet.greenlet(lambda: next(g))
    consumer.switch()
    gone = weakref.ref(consumer)
    del consumer
    assert gone() is None
    assert next(g) == 2


def test_what_gave_the_last_value_may_close_the_generator_when_it_goes():
    # The greenlet was once released after the generator's state had been read: crash.
    class Closes:
        def __del__(self):
            closed.append(g.close())

    def give():
        getcurrent().closes = Closes()
        yield_(1)

    @generator
    def function():
        givers.append(greenlet.greenlet(give))
        main.switch()

    main = getcurrent()
    givers, closed = [], []
    g = function()
    greenlet.greenlet(lambda: next(g)).switch()
    assert givers[0].switch() == 1
    givers[0].parent = main
    givers[0].throw()
    givers.clear()
    assert not closed
    with pytest.raises(ValueError, match="already executing"):
        next(g)
    assert closed == [None]


def test_a_long_chain_of_those_that_have_not_begun_is_released():
    # Each generator was once deallocated within the deallocation of the previous one: the C stack overflowed.
    assert (
        output_of("""
        from greenlet.generators import generator

        @generator
        def function(other):
            pass

        g = None
        for _ in range(300_000):
            g = function(g)
        del g
        print("done")
    """)
        == "done\n"
    )
