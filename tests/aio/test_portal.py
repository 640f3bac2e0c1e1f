"""portal() and ensure_portal(): tasks in which functions may wait."""

import asyncio
import contextvars
import gc
import importlib
import inspect
import sys

import pytest
from support.event_loops import NO_PORTAL, Asyncio, Uvloop, eager, names_of, ordinary, ready, ready_after

import greenlet
from greenlet import getcurrent
from greenlet.aio import await_, ensure_portal, has_portal, portal, run

variable = contextvars.ContextVar("variable")


def test_portal_for_an_awaitable(loop):
    async def inner():
        await loop.sleep(0)
        return ordinary(loop)

    async def main():
        assert not has_portal()
        assert await portal(inner()) is loop.current_task()
        assert not has_portal()

    loop.run(main)


def test_a_task_with_a_portal_from_its_start():
    async def main():
        return ordinary(Asyncio) is asyncio.current_task()

    coroutine = portal(main())
    assert (coroutine.__name__, coroutine.__qualname__) == (main.__name__, main.__qualname__)
    assert asyncio.run(coroutine) is True


def test_portal_of_what_is_not_awaitable():
    with pytest.raises(TypeError):
        portal(1).send(None)


def test_ensure_portal_in_the_middle_of_a_task(loop):
    async def helper():
        await ensure_portal()

    async def main():
        await loop.sleep(0)
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(loop.sleep(0))
        await helper()
        assert ordinary(loop) is loop.current_task()
        await loop.sleep(0.001)
        assert ordinary(loop) is loop.current_task()
        await ensure_portal()
        assert ordinary(loop) is loop.current_task()
        return "result"

    assert loop.run(main) == "result"


def test_ensure_portal_in_many_tasks(loop):
    async def task():
        variable.set(loop.current_task())
        await ensure_portal()
        for _ in range(5):
            await loop.sleep(0)
            assert ordinary(loop) is variable.get()

    async def main():
        await loop.together(*[task] * 10)

    loop.run(main)


def test_exceptions_after_ensure_portal(loop):
    async def main():
        await ensure_portal()
        await loop.sleep(0)
        raise LookupError

    with pytest.raises(LookupError) as error:
        loop.run(main)
    assert names_of(error.value)[-1] == "main"


def test_cancellation_after_ensure_portal(loop):
    log = []

    async def task():
        await ensure_portal()
        try:
            ordinary(loop)
            await_(loop.sleep(10))
        finally:
            log.append("finally")

    async def main():
        await loop.cancelled(task)

    loop.run(main)
    assert log == ["finally"]


def test_cancellation_during_ensure_portal():
    log = []

    async def task():
        try:
            await ensure_portal()
        except asyncio.CancelledError:
            log.append(has_portal())
            raise

    async def main():
        task_ = asyncio.create_task(task())
        asyncio.get_running_loop().call_soon(task_.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task_

    asyncio.run(main())
    assert log == [True]


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda portal_: portal_.close(), id="close"),
        pytest.param(lambda portal_: portal_.throw(LookupError), id="throw"),
        pytest.param(lambda portal_: portal_.send(None), id="send"),
    ],
)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda function: ready_after(function), id="async def"),
        pytest.param(lambda function: run(lambda: greenlet.greenlet(function, getcurrent().parent).switch()), id="run"),
    ],
)
def test_the_new_portal_of_a_task_may_be_ended_while_the_task_runs(loop, make, end):
    # The task, and asyncio, continue with the original coroutine.
    def function():
        coroutine = ensure_portal()
        coroutine.send(None)
        task = loop.current_task()
        with pytest.raises(ValueError, match="already executing"):
            end(task.coro if loop.name == "trio" else task.get_coro())
        del coroutine
        gc.collect()
        steps.append("went on")

    async def main():
        await loop.together(lambda: make(function))
        steps.append("ended")

    steps = []
    loop.run(main)
    assert steps == ["went on", "ended"]


def test_ensure_portal_outside_of_a_task():
    with pytest.raises(RuntimeError, match="has to be awaited in a task of asyncio or trio"):
        ensure_portal().send(None)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio.current_task() does not know such a task since 3.14")
def test_ensure_portal_for_a_task_of_the_class_in_python():
    async def main():
        await ensure_portal()
        return ordinary(Asyncio) is asyncio.current_task()

    def factory(loop, coroutine, **options):
        return asyncio.tasks._PyTask(coroutine, loop=loop, **options)

    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(factory)
        assert runner.run(main()) is True


def test_ensure_portal_for_a_subclass_of_task():
    class Task(asyncio.Task):
        attribute = None

    async def main():
        await ensure_portal()
        return ordinary(Asyncio) is asyncio.current_task()

    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(lambda loop, coroutine, **options: Task(coroutine, loop=loop, **options))
        assert runner.run(main()) is True


def test_ensure_portal_for_a_task_that_hides_its_coroutine():
    class Task(asyncio.Task):
        def get_coro(self):
            return hidden

    async def main():
        with pytest.raises(RuntimeError, match=r"can't replace the coroutine of a .*Task; start it with portal\(\)"):
            await ensure_portal()
        return await asyncio.sleep(0, "result")

    hidden = ready()
    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(lambda loop, coroutine, **options: Task(coroutine, loop=loop, **options))
        assert runner.run(main()) == "result"
    hidden.close()


@pytest.fixture
def trio():
    return pytest.importorskip("trio")


def test_a_task_of_trio_with_a_portal_looks_like_others(trio):
    async def main():
        await ensure_portal()
        coroutine = trio.lowlevel.current_task().coro
        assert inspect.iscoroutine(coroutine)
        assert (coroutine.__name__, coroutine.cr_running) == ("main", True)
        # trio inspects the outer frames. On 3.11 the frames of the greenlet are not linked to them.
        assert trio.lowlevel.currently_ki_protected() is (sys.version_info < (3, 12))

    trio.run(main)


def test_trio_shows_where_a_function_waits(trio):
    def inner():
        await_(trio.sleep_forever())

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, inner)
            await trio.testing.wait_all_tasks_blocked()
            (task,) = nursery.child_tasks
            frames = [frame.f_code.co_name for frame, _ in task.iter_await_frames()]
            assert frames.index("inner") < frames.index("sleep_forever")
            nursery.cancel_scope.cancel()

    importlib.import_module("trio.testing")
    trio.run(main)


@pytest.mark.parametrize("host", [Asyncio, Uvloop], ids=lambda host: host.name)
def test_trio_as_a_guest_of_another_loop(trio, host):
    pytest.importorskip(host.name, exc_type=ImportError)

    def guest(result):
        with trio.move_on_after(0.001):
            await_(trio.sleep(10))
        return result

    async def with_ensured_portal():
        await ensure_portal()
        return guest(2)

    async def guests():
        return await run(guest, 1), await with_ensured_portal()

    async def main():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        trio.lowlevel.start_guest_run(
            guests,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        own = await run(lambda: await_(asyncio.sleep(0, "own")))
        results.append((own, (await done).unwrap()))

    results = []
    host().run(main)
    host().run(lambda: portal(main()))
    assert results == [("own", (1, 2))] * 2


def test_asyncio_shows_where_a_function_waits():
    def inner():
        await_(asyncio.sleep(10))

    def outer():
        inner()

    async def main():
        task = asyncio.create_task(run(outer))
        await asyncio.sleep(0)
        assert [frame.f_code.co_name for frame in task.get_stack()] == ["outer", "inner"]
        task.cancel()

    asyncio.run(main())


@eager
def test_an_eager_task_does_not_use_the_portal_of_the_one_that_made_it():
    async def task():
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(asyncio.sleep(0))
        return has_portal()

    def function():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await_(asyncio.create_task(task()))

    assert asyncio.run(run(function)) is False


@eager
def test_eager_tasks_have_portals_of_their_own():
    async def ensures():
        await ensure_portal()
        return ordinary(Asyncio) is asyncio.current_task()

    def function():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        tasks = [asyncio.create_task(coroutine) for coroutine in (ensures(), run(ordinary, Asyncio))]
        return await_(tasks[0]), await_(tasks[1]) is tasks[1]

    assert asyncio.run(run(function)) == (True, True)


@pytest.mark.parametrize("library", ["trio", "anyio"])
@pytest.mark.parametrize("has_one", [False, True])
def test_ensure_portal_is_a_checkpoint_under_trio(library, has_one):
    trio, library = pytest.importorskip("trio"), pytest.importorskip(library)
    order = []

    async def main():
        if has_one:
            await ensure_portal()
        with library.CancelScope() as scope:
            scope.cancel()
            with pytest.raises(trio.Cancelled):
                await ensure_portal()
            order.append("cancelled")
            await ensure_portal()
            order.append("not reached")
        assert has_portal()  # the portal is opened even so
        with trio.testing.assert_checkpoints():
            await ensure_portal()
        order.append("scheduled")
        await_(trio.sleep(0))

    importlib.import_module("trio.testing")
    trio.run(main)
    assert order == ["cancelled", "scheduled"]
