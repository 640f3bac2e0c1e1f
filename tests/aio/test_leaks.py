"""Nothing is left behind by a function that has waited."""

import asyncio
import contextlib
import gc
import types

import pytest
from support.event_loops import Asyncio, count_to, ordinary, switch_out

import greenlet
from greenlet import getcurrent
from greenlet.aio import Coroutine, await_, ensure_portal, iter_, run


def cancelled_one():
    coroutine = run(lambda: await_(switch_out()))
    coroutine.send(None)
    with contextlib.suppress(LookupError):
        coroutine.throw(LookupError)


async def with_ensured_portal():
    await ensure_portal()
    return ordinary(Asyncio)


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda: asyncio.run(run(ordinary, Asyncio)), id="run"),
        pytest.param(cancelled_one, id="thrown into"),
        pytest.param(lambda: run(lambda: await_(switch_out())).send(None), id="dropped"),
        pytest.param(lambda: asyncio.run(with_ensured_portal()), id="ensure_portal"),
        pytest.param(lambda: asyncio.run(run(lambda: list(iter_(count_to(3))))), id="iter_"),
    ],
)
def test_nothing_is_left_behind(use):
    def count():
        gc.collect()
        return sum(
            isinstance(o, (Coroutine, greenlet.greenlet, asyncio.Task, types.CoroutineType)) for o in gc.get_objects()
        )

    use()
    before = count()
    for _ in range(10):
        use()
    assert count() <= before


def test_the_main_greenlet_is_the_current_one_again():
    asyncio.run(run(ordinary, Asyncio))
    assert getcurrent().parent is None
