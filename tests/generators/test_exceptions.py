"""Exceptions of a generator's function, throw(), and handled exceptions."""

import inspect
import sys
import traceback

import pytest
from support.generators import count_to

import greenlet
from greenlet.generators import generator, yield_


def test_an_exception_of_the_function_reaches_the_caller_and_finishes_it():
    @generator
    def fails():
        yield_(1)
        raise LookupError("here")

    g = fails()
    assert next(g) == 1
    with pytest.raises(LookupError, match="here"):
        next(g)
    assert list(g) == []


@pytest.mark.parametrize("exception", [greenlet.GreenletExit, GeneratorExit, KeyboardInterrupt, SystemExit])
def test_so_does_one_that_ends_other_things(exception):
    @generator
    def fails():
        yield_(1)
        raise exception

    g = fails()
    next(g)
    with pytest.raises(exception):
        next(g)


def test_stop_iteration_becomes_a_runtime_error():
    stop = StopIteration("value")

    @generator
    def stops():
        yield_(1)
        raise stop

    g = stops()
    next(g)
    with pytest.raises(RuntimeError, match="generator raised StopIteration") as error:
        next(g)
    assert error.value.__cause__ is stop
    assert error.value.__context__ is stop
    assert [frame.name for frame in traceback.extract_tb(stop.__traceback__)][-1] == "stops"


def test_throw_raises_where_it_stopped():
    @generator
    def catches():
        try:
            yield_(1)
        except LookupError as error:
            yield_(error)
        return "end"

    error = LookupError("thrown")
    g = catches()
    assert next(g) == 1
    assert g.throw(error) is error
    with pytest.raises(StopIteration) as end:
        next(g)
    assert end.value.value == "end"


def test_what_is_thrown_and_not_caught_comes_back():
    g = count_to(3)
    next(g)
    error = LookupError()
    with pytest.raises(LookupError) as raised:
        g.throw(error)
    assert raised.value is error
    assert list(g) == []


def test_throw_into_one_that_has_not_begun_finishes_it():
    g = count_to(3)
    with pytest.raises(LookupError):
        g.throw(LookupError)
    assert list(g) == []


def test_throw_takes_a_class_a_value_and_a_traceback():
    try:
        raise KeyError
    except KeyError as error:
        tb = error.__traceback__
    g = count_to(3)
    next(g)
    with pytest.raises(LookupError, match="text") as raised:
        g.throw(LookupError, "text", tb)
    tbs = []
    walk = raised.value.__traceback__
    while walk is not None:
        tbs.append(walk)
        walk = walk.tb_next
    assert tbs[-1] is tb


@pytest.mark.parametrize("arguments", [(), (1,), (LookupError, 1, 2), (LookupError(), 1), (1, 2, 3, 4)], ids=repr)
def test_throw_of_what_is_no_exception(arguments):
    g = count_to(3)
    next(g)
    with pytest.raises(TypeError):
        g.throw(*arguments)
    assert next(g) == 2


def test_a_traceback_shows_all_frames_to_where_it_stopped():
    def inner():
        yield_(1)
        raise LookupError

    def outer():
        inner()

    g = generator(outer)()
    next(g)
    try:
        next(g)
    except LookupError as error:
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names == [inspect.currentframe().f_code.co_name, "outer", "inner"]


def test_the_function_sees_the_exception_its_caller_handles():
    @generator
    def handled():
        while True:
            yield_(sys.exc_info()[1])

    g = handled()
    assert next(g) is None
    error = LookupError()
    try:
        raise error
    except LookupError:
        assert next(g) is error
        try:
            raise KeyError
        except KeyError as inner:
            assert next(g) is inner
        assert next(g) is error
    assert next(g) is None


def test_an_exception_has_that_one_as_its_context():
    def native():
        yield
        raise KeyError

    @generator
    def ours():
        yield_()
        raise KeyError

    contexts = []
    for function in (native, ours):
        g = function()
        next(g)
        try:
            raise LookupError("outer")
        except LookupError as outer:
            with pytest.raises(KeyError) as raised:
                next(g)
            contexts.append(raised.value.__context__ is outer)
    assert contexts == [True, True]


def test_the_caller_does_not_see_what_the_function_handles():
    @generator
    def handles():
        try:
            raise LookupError
        except LookupError:
            yield_(1)
            assert isinstance(sys.exc_info()[1], LookupError)
            yield_(2)

    g = handles()
    next(g)
    assert sys.exc_info()[1] is None
    next(g)
    assert sys.exc_info()[1] is None


def test_recursion_counts_on_top_of_the_caller():
    @generator
    def endless():
        for value in endless():
            yield_(value)

    with pytest.raises(RecursionError):
        list(endless())
