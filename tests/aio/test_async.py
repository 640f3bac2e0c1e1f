"""async_() turns ordinary functions and generators into asynchronous ones."""

import asyncio
import inspect

import pytest
from support.event_loops import Asyncio, ready

import greenlet
from greenlet.aio import async_, await_, run
from greenlet.generators import generator, yield_


def test_an_asynchronous_function_of_an_ordinary_one(loop):
    @async_
    def function(a, *, b=2):
        """What it does."""
        await_(loop.sleep(0))
        return a + b

    assert inspect.iscoroutinefunction(function)
    assert function.__name__ == "function"
    assert function.__doc__ == "What it does."
    assert str(inspect.signature(function)) == "(a, *, b=2)"

    async def main():
        return await function(1, b=3)

    assert loop.run(main) == 4


def test_asynchronous_methods():
    class Class:
        @async_
        def of_instance(self):
            return await_(ready(self))

        @async_
        @classmethod
        def of_class(cls):
            return await_(ready(cls))

        @staticmethod
        @async_
        def static(x):
            return await_(ready(x))

    instance = Class()

    async def main():
        return await instance.of_instance(), await Class.of_class(), await instance.static(1)

    assert asyncio.run(main()) == (instance, Class, 1)


async def asynchronous_function():
    pass


async def asynchronous_generator():
    yield


@pytest.mark.parametrize("function", [1, asynchronous_function, asynchronous_generator])
def test_what_can_not_be_made_asynchronous(function):
    with pytest.raises(TypeError):
        async_(function)


def generator_functions():
    def native(n):
        try:
            for i in range(n):
                await_(asyncio.sleep(0))
                try:
                    log.append((yield i))
                except LookupError:
                    yield "caught"
        finally:
            await_(asyncio.sleep(0))
            log.append("finally")

    @generator
    def ours(n):
        try:
            for i in range(n):
                await_(asyncio.sleep(0))
                try:
                    log.append(yield_(i))
                except LookupError:
                    yield_("caught")
        finally:
            await_(asyncio.sleep(0))
            log.append("finally")

    log = []
    return [(native, log), (ours, log)]


@pytest.mark.parametrize("function, log", generator_functions(), ids=["native", "ours"])
def test_an_asynchronous_generator_of_one_that_awaits(function, log):
    log.clear()
    function = async_(function)
    assert inspect.isasyncgenfunction(function)

    async def main():
        assert [i async for i in function(3)] == [0, 1, 2]
        assert log == [None, None, None, "finally"]
        log.clear()
        g = function(3)
        assert await g.asend(None) == 0
        assert await g.asend("sent") == 1
        assert await g.athrow(LookupError) == "caught"
        assert await anext(g) == 2
        await g.aclose()
        assert log == ["sent", "finally"]
        log.clear()
        g = function(3)
        await anext(g)
        with pytest.raises(ValueError):
            await g.athrow(ValueError)
        assert log == ["finally"]

    asyncio.run(main())


@pytest.mark.parametrize("function, log", generator_functions(), ids=["native", "ours"])
def test_a_generator_that_awaits_in_the_function_that_iterates(function, log):
    def consume():
        return list(function(3))

    async def main():
        return await asyncio.gather(run(consume), run(consume))

    assert asyncio.run(main()) == [[0, 1, 2], [0, 1, 2]]


def test_generators_nested_that_await():
    @generator
    def inner(n):
        for i in range(n):
            yield_(await_(ready(i)))
            await_(asyncio.sleep(0))

    @generator
    def outer(n):
        for i in inner(n):
            await_(asyncio.sleep(0))
            yield_(i * 2)

    assert asyncio.run(run(lambda: list(outer(3)))) == [0, 2, 4]


def test_a_generator_that_one_task_began_and_another_goes_on_with():
    @generator
    def numbers():
        for i in range(4):
            await_(asyncio.sleep(0))
            yield_((i, asyncio.current_task().get_name()))

    async def main():
        g = numbers()
        return [await asyncio.create_task(run(next, g), name=name) for name in "abc"]

    assert asyncio.run(main()) == [(0, "a"), (1, "b"), (2, "c")]


def test_a_cancelled_generator():
    @generator
    def waits():
        try:
            await_(asyncio.sleep(10))
        finally:
            log.append("finally")

    async def main():
        await Asyncio.cancelled(lambda: run(list, waits()))

    log = []
    asyncio.run(main())
    assert log == ["finally"]


def test_yield_does_not_reach_through_to_a_generator_that_drives_the_coroutine():
    @generator
    def drives():
        run(lambda: yield_(1)).send(None)

    with pytest.raises(RuntimeError, match="outside of a running generator"):
        next(drives())


def test_a_greenlet_that_the_function_starts_can_await(loop):
    def inner(x):
        await_(loop.sleep(0))
        return x

    async def main():
        return await run(lambda: greenlet.greenlet(inner).switch("result"))

    assert loop.run(main) == "result"
