"""await_(): a function waits for an awaitable at any depth; without a portal the error says what to do."""

import asyncio
import functools
import types

import pytest
from support.event_loops import NO_PORTAL, Awaitable, drive, ready, switch_out

import greenlet
from greenlet.aio import await_, has_portal, run


def test_await_gives_the_result(loop):
    def function(value):
        await_(loop.sleep(0.001))
        return await_(ready(value))

    async def main():
        return await run(function, "result")

    assert loop.run(main) == "result"


def test_await_at_any_depth(loop):
    def deep(depth):
        if depth:
            return deep(depth - 1) + 1
        await_(loop.sleep(0))
        return 0

    async def main():
        return await run(deep, 100)

    assert loop.run(main) == 100


def test_await_in_a_callback_of_c_code(loop):
    def key(value):
        await_(loop.sleep(0))
        return -value

    async def main():
        return await run(sorted, [1, 3, 2], key=key)

    assert loop.run(main) == [3, 2, 1]


def test_other_tasks_run_meanwhile(loop):
    log = []

    def steps(name):
        for i in range(3):
            log.append(f"{name}{i}")
            await_(loop.sleep(0.005))

    async def main():
        await loop.together(lambda: run(steps, "a"), lambda: run(steps, "b"))

    loop.run(main)
    assert sorted(log) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert log != sorted(log)


def test_asynchronous_and_ordinary_functions_in_turn(loop):
    async def asynchronous(depth):
        await loop.sleep(0)
        return await run(ordinary, depth - 1) if depth else ["end"]

    def ordinary(depth):
        await_(loop.sleep(0))
        return [depth, *await_(asynchronous(depth))]

    async def main():
        return await asynchronous(5)

    assert loop.run(main) == [4, 3, 2, 1, 0, "end"]


def test_what_is_yielded_and_sent_passes_through():
    def function():
        return [await_(switch_out("a")), await_(switch_out("b"))]

    assert drive(run(function), 1, 2) == (["a", "b"], [1, 2])


def test_an_awaitable_that_does_not_wait_never_switches():
    switches = []

    def function():
        greenlet.settrace(lambda event, greenlets: switches.append(event))
        try:
            return [await_(ready(i)) for i in range(3)]
        finally:
            greenlet.settrace(None)

    with pytest.raises(StopIteration) as end:
        run(function).send(None)
    assert end.value.value == [0, 1, 2]
    assert switches == []


def test_awaitables_of_all_kinds():
    def iterate():
        return (yield "from a generator")

    class Iterator:
        def __iter__(self):
            return self

        def __next__(self):
            if self.done:
                raise StopIteration("result")
            self.done = True
            return "from an iterator"

        done = False

    def function():
        return [
            await_(switch_out("from a coroutine of types.coroutine")),
            await_(Awaitable(iterate())),
            await_(Awaitable(Iterator())),
            await_(run(lambda: await_(switch_out("from another run()")))),
        ]

    yields, result = drive(run(function), 1, 2, None, 4)
    assert yields == [
        "from a coroutine of types.coroutine",
        "from a generator",
        "from an iterator",
        "from another run()",
    ]
    assert result == [1, 2, "result", 4]


def test_futures_and_tasks_of_asyncio():
    def function():
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "future")
        task = asyncio.create_task(ready("task"))
        return await_(future), await_(task), await_(task)

    async def main():
        return await run(function)

    assert asyncio.run(main()) == ("future", "task", "task")


@pytest.mark.parametrize(
    "value",
    [1, None, iter(()), (i for i in ()), len, Awaitable(1), Awaitable(switch_out())],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_awaitable(value):
    with pytest.raises(TypeError):
        run(await_, value).send(None)


async def asynchronous():
    return "result"


class Asynchronous:
    async def method(self):
        return "result"


@pytest.mark.parametrize(
    "function",
    [
        asynchronous,
        Asynchronous().method,
        functools.partial(asynchronous),
        functools.partial(Asynchronous().method),
        types.coroutine(lambda: (yield)),
    ],
    ids=repr,
)
def test_run_refuses_an_asynchronous_function_and_says_what_to_write(function):
    with pytest.raises(
        TypeError, match=r"run\(\) calls ordinary functions, and .* is asynchronous: write `await function"
    ):
        run(function)


def test_await_takes_one_argument():
    for arguments in ((), (1, 2)):
        with pytest.raises(TypeError):
            await_(*arguments)


def test_a_coroutine_that_is_awaited_already():
    async def switching():
        await switch_out("first")

    coroutine = switching()
    coroutine.send(None)
    with pytest.raises(RuntimeError, match="being awaited already"):
        run(await_, coroutine).send(None)
    coroutine.close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        run(await_, coroutine).send(None)


def test_await_without_a_portal_says_what_to_do():
    with pytest.raises(RuntimeError, match=NO_PORTAL):
        await_(ready())
    assert not has_portal()


def test_await_in_a_coroutine_without_a_portal(loop):
    async def main():
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(loop.sleep(0))
        assert not has_portal()
        await run(lambda: None)
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(loop.sleep(0))

    loop.run(main)


def test_a_task_that_the_function_starts_has_no_portal():
    async def task():
        assert not has_portal()
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(ready())

    def function():
        assert has_portal()
        await_(asyncio.create_task(task()))

    asyncio.run(run(function))


def test_another_thread_has_no_portal():
    def in_thread():
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(ready())
        return has_portal()

    def function():
        return await_(asyncio.to_thread(in_thread))

    assert asyncio.run(run(function)) is False
