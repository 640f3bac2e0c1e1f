"""Exceptions pass between functions and awaitables, in both directions."""

import sys

import pytest
from support.event_loops import Awaitable, names_of

import greenlet
from greenlet.aio import await_, run


def test_exceptions_pass_both_ways_with_whole_tracebacks(loop):
    error = LookupError("x")

    async def fails():
        await loop.sleep(0)
        raise error

    def inner():
        await_(fails())

    def outer():
        inner()

    async def main():
        with pytest.raises(LookupError) as raised:
            await run(outer)
        assert raised.value is error
        assert names_of(error) == ["main", "outer", "inner", "fails"]

    loop.run(main)


def test_the_function_may_catch_what_the_awaitable_raises(loop):
    async def fails():
        await loop.sleep(0)
        raise LookupError

    def function():
        try:
            await_(fails())
        except LookupError:
            await_(loop.sleep(0))
            return "caught"

    async def main():
        return await run(function)

    assert loop.run(main) == "caught"


def test_stop_iteration_becomes_a_runtime_error():
    def function():
        raise StopIteration(1)

    with pytest.raises(RuntimeError, match="coroutine raised StopIteration") as error:
        run(function).send(None)
    assert isinstance(error.value.__cause__, StopIteration)


def test_stop_iteration_that_was_never_initialised():
    # An uninitialized StopIteration has a NULL value, not None, which once crashed.
    class Stop(StopIteration):
        def __init__(self):
            pass

    class Waits:
        def __await__(self):
            return self

        __iter__ = __await__

        def __next__(self):
            pass

        def throw(self, *exception):
            raise Stop

    coroutine = run(lambda: [await_(Waits())])
    coroutine.send(None)
    with pytest.raises(StopIteration) as stop:
        coroutine.throw(LookupError)
    assert stop.value.value == [None]


@pytest.mark.parametrize("exception", [greenlet.GreenletExit, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_exceptions_that_end_other_things_pass_too(exception):
    def function():
        raise exception

    with pytest.raises(exception):
        run(function).send(None)


def test_throw_reaches_the_awaitable():
    def catches():
        try:
            yield "waiting"
        except LookupError as error:
            yield error
        return "end"

    coroutine = run(await_, Awaitable(catches()))
    assert coroutine.send(None) == "waiting"
    error = LookupError()
    assert coroutine.throw(error) is error
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    assert end.value.value == "end"


def test_throw_into_an_iterator_that_has_no_such_method():
    coroutine = run(await_, Awaitable(iter(["waiting"])))
    assert coroutine.send(None) == "waiting"
    with pytest.raises(LookupError):
        coroutine.throw(LookupError)


def test_the_awaitable_may_end_when_something_is_thrown_in():
    def catches():
        try:
            yield "waiting"
        except LookupError:
            return "caught"

    coroutine = run(await_, Awaitable(catches()))
    coroutine.send(None)
    with pytest.raises(StopIteration) as end:
        coroutine.throw(LookupError)
    assert end.value.value == "caught"


def test_the_function_sees_the_exception_that_the_coroutine_handles(loop):
    async def main():
        error = LookupError()
        try:
            raise error
        except LookupError:
            await run(function, error)

    def function(error):
        assert sys.exc_info()[1] is error
        await_(loop.sleep(0))
        assert sys.exc_info()[1] is error

    loop.run(main)
