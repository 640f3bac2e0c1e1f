"""Frameworks recognize the results of greenlet.aio as coroutine functions, and its functions as functions."""

import asyncio
import copy
import functools
import inspect
import pickle
import pydoc
import warnings
import weakref

import pytest
from support.environment import NEEDS_SSL

from greenlet.aio import async_, await_, ensure_portal, has_portal, iter_, portal, run
from greenlet.generators import generator


def says_asyncio(function):
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return asyncio.iscoroutinefunction(function)


@pytest.mark.parametrize(
    "function", [run, portal, functools.partial(run, max), async_(max), async_(lambda: None), ensure_portal]
)
def test_they_are_coroutine_functions_for_inspect_and_asyncio(function):
    assert inspect.iscoroutinefunction(function)
    assert says_asyncio(function)


@pytest.mark.parametrize("function", [await_, has_portal, iter_, generator(max)])
def test_the_others_are_not(function):
    assert not inspect.iscoroutinefunction(function)
    assert not says_asyncio(function)


@pytest.mark.parametrize("function", [run, portal])
def test_run_and_portal_look_like_functions(function):
    assert callable(function) and inspect.isroutine(function)
    assert function.__module__ == "greenlet.aio"
    assert function.__doc__.splitlines()[0] in pydoc.render_doc(function)
    assert repr(function) == f"<built-in function {function.__name__}>"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(function, protocol)) is function
    assert copy.deepcopy(function) is function
    assert weakref.ref(function)() is function

    class Holder:
        attribute = function

    assert Holder().attribute is function  # not bound


def test_the_signatures_of_run_and_portal():
    assert str(inspect.signature(run)) == "(function, /, *args, **kwargs)"
    assert str(inspect.signature(portal)) == "(awaitable, /)"


@pytest.mark.parametrize("arguments", [(), (1, 2)])
def test_portal_takes_one_argument(arguments):
    with pytest.raises(TypeError, match="portal\\(\\) takes exactly one positional argument"):
        portal(*arguments)


def test_portal_takes_no_keywords():
    with pytest.raises(TypeError, match="portal"):
        portal(awaitable=1)


def test_a_background_task_of_starlette():
    background = pytest.importorskip("starlette.background")
    done = []

    def function(number):
        await_(asyncio.sleep(0))
        done.append(number)

    async def main():
        tasks = background.BackgroundTasks()
        tasks.add_task(run, function, 7)
        tasks.add_task(async_(function), 8)
        tasks.add_task(functools.partial(run, function), 9)
        await tasks()

    asyncio.run(main())
    assert done == [7, 8, 9]


@NEEDS_SSL
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_task_groups_of_anyio_start_them(backend):
    anyio = pytest.importorskip("anyio")
    pytest.importorskip(backend)
    done = []

    def function(number):
        await_(anyio.sleep(0))
        done.append(number)

    async def native(number):
        function(number)

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(run, function, 1)
            group.start_soon(async_(function), 2)
            group.start_soon(functools.partial(run, function), 3)
            group.start_soon(portal, native(4))

    anyio.run(main, backend=backend)
    anyio.run(run, function, 5, backend=backend)
    assert sorted(done) == [1, 2, 3, 4, 5]
