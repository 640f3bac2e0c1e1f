"""A function that on_thread_stack() calls can't switch, and kills are postponed until it returns."""

import gc
import weakref

import pytest
from support.environment import IS_FREE_THREADED
from support.greenlets import collect, suspended
from support.scheduler import WITH_A_SCHEDULER
from support.stacks import in_greenlet
from support.threads import in_thread

from greenlet import aio, error, getcurrent, greenlet, on_thread_stack, stackless
from greenlet.generators import generator, yield_


def refused(function, *args, exception=error):
    """Call *function* through on_thread_stack() in a new greenlet.

    Returns the message of the error that it must raise.
    """

    def run():
        with pytest.raises(exception) as caught:
            on_thread_stack(function, *args)
        return str(caught.value)

    return in_greenlet(run)


def test_a_switch_is_refused_with_the_reason():
    main = getcurrent()
    assert refused(main.switch, "lost?") == (
        "can't switch to another greenlet in a function that on_thread_stack() has called: it runs on the thread's own "
        "stack, where the main greenlet is suspended"
    )
    assert refused(lambda: main.switch("lost?")).startswith("can't switch")


def test_what_could_not_be_switched_to_goes_on_later():
    g = suspended(lambda: getcurrent().parent.switch("first"))
    fresh = greenlet(lambda value: value)
    for each in (g, fresh):
        assert refused(each.switch, 1).startswith("can't switch")
        assert refused(each.throw, LookupError).startswith("can't switch")
    assert bool(g) and not g.dead and not bool(fresh) and not fresh.dead
    assert g.switch(2) == 2
    assert fresh.switch(3) == 3


def test_the_greenlet_goes_on_after_a_refusal():
    main = getcurrent()

    def run():
        with pytest.raises(error):
            on_thread_stack(main.switch)
        return main.switch("between"), on_thread_stack(len, "abc")

    g = greenlet(run)
    assert g.switch() == "between"
    assert g.switch("back") == ("back", 3)


def test_generators_are_refused_and_nothing_of_them_is_lost():
    @generator
    def count():
        for i in range(3):
            yield_(i)

    fresh, begun = count(), count()
    assert next(begun) == 0
    assert refused(next, begun).startswith("can't switch")
    assert refused(next, fresh).startswith("can't switch")
    assert refused(begun.send, None).startswith("can't switch")
    assert list(begun) == [1, 2]
    assert list(fresh) == [0, 1, 2]


def test_a_generator_can_not_yield_there():
    @generator
    def give():
        with pytest.raises(error, match="can't switch"):
            on_thread_stack(yield_, "lost?")
        yield_("after")

    assert list(give()) == ["after"]


def test_native_generators_and_coroutines_run_there():
    def native():
        yield from range(3)

    async def coroutine():
        return "result"

    def run():
        values = on_thread_stack(list, native())
        begun = native()
        next(begun)
        with pytest.raises(StopIteration) as stopped:
            on_thread_stack(coroutine().send, None)
        return values, on_thread_stack(list, begun), stopped.value.value

    assert in_greenlet(run) == ([0, 1, 2], [1, 2], "result")


def test_a_function_that_awaits_can_not_suspend_there():
    import asyncio

    def function():
        with pytest.raises(error, match="can't switch"):
            on_thread_stack(aio.await_, asyncio.sleep(0))
        done = asyncio.get_running_loop().create_future()
        done.set_result("at once")
        return on_thread_stack(aio.await_, done), aio.await_(asyncio.sleep(0, "later"))

    async def main():
        return await aio.run(function)

    assert asyncio.run(main()) == ("at once", "later")


@pytest.mark.usefixtures("scheduler_as_before")
@WITH_A_SCHEDULER[0]
def test_tasklets_are_refused():
    log = []

    def other():
        log.append("other")

    def task():
        with pytest.raises(RuntimeError, match="can't switch"):
            on_thread_stack(stackless.schedule)
        channel = stackless.channel()
        with pytest.raises(RuntimeError, match="can't switch"):
            on_thread_stack(channel.receive)
        log.append(on_thread_stack(len, "abc"))
        stackless.schedule()
        log.append("end")

    stackless.tasklet(task)()
    stackless.tasklet(other)()
    stackless.run()
    assert log == [3, "other", "end"]


def killed_in(log):
    def run():
        try:
            getcurrent().parent.switch()
        finally:
            log.append("killed")

    return suspended(run)


def test_what_is_released_there_is_killed_afterwards():
    log = []

    def run():
        def release():
            released.clear()
            collect()
            log.append("released")

        released = [killed_in(log)]
        on_thread_stack(release)
        log.append("back")

    in_greenlet(run)
    assert log == ["released", "killed", "back"]


def test_garbage_that_is_found_there_is_killed_afterwards():
    log = []

    def run():
        def make_garbage():
            g = killed_in(log)
            g.itself = g
            return weakref.ref(g)

        gc.collect()
        alive = make_garbage()
        on_thread_stack(lambda: (gc.collect(), log.append("collected")))
        log.append("back")
        collect()
        return alive()

    assert in_greenlet(run) is None
    assert log == ["collected", "killed", "back"]


def test_what_another_thread_released_is_killed_afterwards():
    log = []
    if IS_FREE_THREADED:
        pytest.skip("the last reference of another thread may be released later there")

    def run():
        released = [killed_in(log)]
        on_thread_stack(lambda: (in_thread(released.clear), log.append("released")))
        log.append("back")

    in_greenlet(run)
    assert log == ["released", "killed", "back"]


def test_a_destructor_that_switches_there_is_refused():
    main = getcurrent()
    refusals = []

    class Switches:
        def __del__(self):
            try:
                main.switch()
            except error as refusal:
                refusals.append(str(refusal))

    in_greenlet(lambda: on_thread_stack(lambda: [Switches()].clear()))
    assert len(refusals) == 1 and refusals[0].startswith("can't switch")
