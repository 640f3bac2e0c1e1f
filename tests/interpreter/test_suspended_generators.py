"""Generators and coroutines that are running when their greenlet is suspended."""

import asyncio
import gc
import sys
import weakref

import pytest
from support.greenlets import collect, suspended

from greenlet import GreenletExit, getcurrent, greenlet


def yielding_below(depth):
    """A generator that switches to main, *depth* generators deep, then yields the value it was resumed with."""
    if depth:
        yield from yielding_below(depth - 1)
    else:
        for _ in range(3):
            yield getcurrent().parent.switch("in a generator")


@pytest.mark.parametrize("depth", [0, 1, 10, 100])
def test_a_generator_can_be_suspended_in_the_middle_of_a_step(depth):
    g = greenlet(lambda: list(yielding_below(depth)))
    assert g.switch() == "in a generator"
    assert g.switch(1) == "in a generator"
    assert g.switch(2) == "in a generator"
    assert g.switch(3) == [1, 2, 3]


def test_a_generator_that_runs_in_a_suspended_greenlet_cannot_be_resumed():
    generator = yielding_below(0)
    g = greenlet(lambda: next(generator))
    g.switch()
    assert generator.gi_running
    with pytest.raises(ValueError, match="already executing"):
        next(generator)
    with pytest.raises(ValueError):
        generator.close()
    assert g.switch("value") == "value"
    assert not generator.gi_running
    generator.close()


def test_one_generator_may_be_advanced_by_several_greenlets_in_turn():
    def count():
        number = 0
        while True:
            number += 1
            yield number

    generator = count()

    def run():
        seen = []
        for _ in range(3):
            seen.append(next(generator))
            getcurrent().parent.switch()
        return seen

    a, b = suspended(run), suspended(run)
    for _ in range(2):
        a.switch(), b.switch()
    assert (a.switch(), b.switch()) == ([1, 3, 5], [2, 4, 6])


def test_two_suspended_generators_resume_in_any_order():
    greenlets = [greenlet(lambda d=depth: list(yielding_below(d))) for depth in (0, 5, 10)]
    for g in greenlets:
        g.switch()
    for order in ([2, 0, 1], [1, 2, 0]):
        for index in order:
            greenlets[index].switch(index)
    assert [greenlets[i].switch("end") for i in (0, 1, 2)] == [[i, i, "end"] for i in (0, 1, 2)]


def test_an_exception_thrown_into_the_greenlet_is_raised_in_the_generator():
    caught = []

    def generator():
        try:
            getcurrent().parent.switch()
        except LookupError:
            caught.append(True)
            yield "went on"

    g = suspended(lambda: next(generator()))
    assert g.throw(LookupError) == "went on"
    assert caught == [True]


def test_close_may_switch():
    def generator():
        try:
            yield
        finally:
            getcurrent().parent.switch("closing")

    def run():
        it = generator()
        next(it)
        it.close()
        return "closed"

    g = greenlet(run)
    assert g.switch() == "closing"
    assert g.switch() == "closed"


def test_killing_the_greenlet_runs_the_finally_block_of_the_generator():
    events = []

    def generator():
        try:
            getcurrent().parent.switch()
            yield
        except GreenletExit:
            events.append("killed")
            raise
        finally:
            events.append("finally")

    g = suspended(lambda: list(generator()))
    del g
    assert events == ["killed", "finally"]


def test_a_generator_dropped_with_its_greenlet_is_freed():
    alive = []

    def generator():
        getcurrent().parent.switch()
        yield

    def run():
        it = generator()
        alive.append(weakref.ref(it))
        next(it)

    g = suspended(run)
    assert alive[0]() is not None
    del g
    collect()
    assert alive[0]() is None


def test_exception_state_of_a_suspended_generator_is_its_own():
    def generator():
        try:
            raise LookupError("in the generator")
        except LookupError:
            getcurrent().parent.switch()
            yield sys.exc_info()[1]

    def run():
        try:
            raise KeyError("around it")
        except KeyError:
            return next(generator()), sys.exc_info()[1]

    g = suspended(run)
    assert sys.exc_info()[1] is None
    try:
        raise ValueError("in main")
    except ValueError:
        inner, outer = g.switch()
        assert type(sys.exc_info()[1]) is ValueError
    assert type(inner) is LookupError and type(outer) is KeyError
    assert sys.exc_info()[1] is None


def test_a_coroutine_can_be_suspended():
    async def inner():
        return getcurrent().parent.switch("in a coroutine")

    async def outer():
        return await inner(), await inner()

    def run():
        try:
            outer().send(None)
        except StopIteration as stop:
            return stop.value

    g = greenlet(run)
    assert g.switch() == "in a coroutine"
    assert g.switch(1) == "in a coroutine"
    assert g.switch(2) == (1, 2)


def test_an_async_generator_can_be_suspended():
    async def numbers():
        for _ in range(2):
            yield getcurrent().parent.switch("in an async generator")

    async def collect_numbers():
        return [number async for number in numbers()]

    def run():
        try:
            collect_numbers().send(None)
        except StopIteration as stop:
            return stop.value

    g = greenlet(run)
    g.switch()
    assert g.switch(1) == "in an async generator"
    assert g.switch(2) == [1, 2]


def test_an_event_loop_runs_in_a_greenlet():
    main = getcurrent()

    async def work():
        await asyncio.sleep(0)
        value = main.switch("from the loop")
        await asyncio.sleep(0)
        return value

    g = greenlet(lambda: asyncio.run(work()))
    assert g.switch() == "from the loop"
    assert g.switch("value") == "value"


def test_greenlets_switch_below_a_running_event_loop():
    async def work():
        g = suspended()
        await asyncio.sleep(0)
        g.switch()
        return g.dead

    assert asyncio.run(work()) is True


def test_a_coroutine_awaited_from_another_greenlet_sees_its_current_task():
    async def work():
        task = asyncio.current_task()
        return greenlet(lambda: asyncio.current_task() is task).switch()

    assert asyncio.run(work()) is True


def test_generator_frames_survive_garbage_collections():
    generators = [yielding_below(5) for _ in range(20)]
    greenlets = [greenlet(lambda it=it: list(it)) for it in generators]
    for g in greenlets:
        g.switch()
    for _ in range(3):
        gc.collect()
        for g in greenlets:
            g.switch("value")
    assert all(g.dead for g in greenlets)


def test_a_generator_started_here_can_be_finished_in_a_greenlet():
    def generator():
        first = yield "here"
        second = getcurrent().parent.switch(first)
        yield second

    it = generator()
    assert next(it) == "here"
    g = greenlet(it.send)
    assert g.switch("sent") == "sent"
    assert g.switch("resumed") == "resumed"
    with pytest.raises(StopIteration):
        next(it)
