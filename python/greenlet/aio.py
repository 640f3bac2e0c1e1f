"""Ordinary functions that wait for awaitables, in asyncio, trio and what is built on them.

An ``async def`` function can wait only in its own frame, so all its callers have to be ``async def`` functions
too. A function that `run` calls, and whatever that calls, waits with a plain call::

    from greenlet.aio import await_, run

    def fetch(url):                     # an ordinary function, of a library perhaps
        return await_(client.get(url)).text

    async def main():
        print(await run(fetch, "https://example.org"))

While it waits, other tasks of the event loop run. The function is part of the task that awaits it: it is
cancelled with it, and has its context variables.
"""

import functools
import inspect
import sys
import types

from . import _greenlet

__all__ = ["Coroutine", "async_", "await_", "ensure_portal", "has_portal", "iter_", "portal", "run", "with_"]

Coroutine = _greenlet.aio.Coroutine
await_ = _greenlet.aio.await_
has_portal = _greenlet.aio.has_portal
iter_ = _greenlet.aio.iter_


def _written_in_c(described):
    """The function of the same name that is written in C, with the attributes of this one.

    By these `inspect` and `asyncio`, and so frameworks, know that it is to be awaited.
    """
    function = getattr(_greenlet.aio, described.__name__)
    for name in ("__module__", "__doc__", "__code__", "__defaults__", "__kwdefaults__", "__annotations__"):
        setattr(function, name, getattr(described, name))
    return function


@_written_in_c
async def run(function, /, *args, **kwargs):
    """Call an ordinary function that may await: ``result = await run(function, 1, x=2)``.

    The function begins when the result is awaited, or made a task of. In it, and in all it calls, `await_` waits
    for awaitables of the event loop while other tasks run. To its callees it is the task that awaits it: with its
    context variables, its cancellation and its timeouts.

    Parameters:
        function: any callable; then what to call it with.
    Returns:
        A coroutine, whose result is that of the function.
    Raises:
        TypeError: there is no function, it is not callable, it is asynchronous, or a Python function that can't be
            called with these arguments.
        When awaited: whatever the function raises, but `StopIteration` as the cause of a `RuntimeError`.
    """


@_written_in_c
async def portal(awaitable, /):
    """Await something with a portal: ``await portal(main())``, ``asyncio.run(portal(main()))``.

    Ordinary functions that the awaitable calls, and those they call, can use `await_`. What it awaits itself goes
    through the portal too, at the price of two greenlet switches each time it has to wait.

    Parameters:
        awaitable: what ``await`` takes.
    Returns:
        A coroutine with the awaitable's result.
    Raises:
        TypeError: it is not awaitable.
        When awaited: whatever it raises.
    """


def async_(function):
    """Decorator: make an asynchronous function of an ordinary one that uses `await_`.

    Of a generator function, native or of `greenlet.generators`, it makes an asynchronous generator function:
    its body may use `await_` between the values.

    Parameters:
        function: a function, a method (in the body of a class), a `classmethod` or a `staticmethod`.
    Returns:
        An ``async def`` function that calls it by `run`.
    Raises:
        TypeError: it is not callable, or is asynchronous already.
    """
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(async_(function.__func__))
    if not callable(function):
        raise TypeError(f"async_() needs a function, not {type(function).__name__}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__qualname__} is asynchronous already")
    if inspect.isgeneratorfunction(function) or isinstance(function, _greenlet.generators.GeneratorFunction):
        return _async_generator_function(function)

    @functools.wraps(function)
    async def asynchronous(*args, **kwargs):
        made = [run(function, *args, **kwargs)]
        del args, kwargs
        return await made.pop()  # so that nothing in this frame, which a traceback may keep, refers to it

    return _with_arguments_checked(function, asynchronous, inspect.CO_COROUTINE)


def _with_arguments_checked(function, asynchronous, flag):
    """A function that raises `TypeError` when it is called, as `asynchronous` does when it is awaited.

    To `inspect` it is asynchronous as its code has the flag for that. The interpreter does not go by this flag.
    """
    if isinstance(function, _greenlet.generators.GeneratorFunction):
        function = function.__wrapped__
    check_arguments = _greenlet.aio._check_arguments

    def call(*args, **kwargs):
        check_arguments(function, *args, **kwargs)
        return asynchronous(*args, **kwargs)

    code = call.__code__.replace(co_flags=call.__code__.co_flags | flag)
    made = types.FunctionType(code, call.__globals__, call.__name__, None, call.__closure__)
    return functools.update_wrapper(made, asynchronous.__wrapped__)


_END = object()


def _step(method, value):
    """What a method of a generator gives, or `_END`."""
    try:
        return method(value)
    except StopIteration:
        return _END


def _async_generator_function(function):
    @functools.wraps(function)
    async def asynchronous(*args, **kwargs):
        generator = function(*args, **kwargs)
        del args, kwargs
        method, sent = generator.send, None
        try:
            while (value := await run(_step, method, sent)) is not _END:
                try:
                    method, sent = generator.send, (yield value)
                except BaseException as error:
                    method, sent = generator.throw, error
        finally:
            await run(generator.close)

    return _with_arguments_checked(function, asynchronous, inspect.CO_ASYNC_GENERATOR)


class with_:
    """Use an asynchronous context manager in an ordinary function: ``with with_(lock): ...``.

    ``with with_(manager) as value`` does what ``async with manager as value`` does, and needs a portal:
    entering and leaving it raises what `await_` raises.

    Parameters:
        manager: what ``async with`` takes.
    Raises:
        TypeError: it is no asynchronous context manager.
    """

    __slots__ = ("_manager",)

    def __init__(self, manager, /):
        if not (hasattr(type(manager), "__aenter__") and hasattr(type(manager), "__aexit__")):
            raise TypeError(f"{type(manager).__name__!r} object is no asynchronous context manager")
        self._manager = manager

    def __enter__(self):
        manager = self._manager
        return await_(type(manager).__aenter__(manager))

    def __exit__(self, *exception):
        manager = self._manager
        return await_(type(manager).__aexit__(manager, *exception))


@types.coroutine
def _next_step():
    """Give control to the event loop of asyncio once."""
    yield


def _adopt(coroutine, wrap):
    """A coroutine that has to begin now, and goes on with the one that runs once that is suspended."""
    # What runs is kept until the task ends, as asyncio does, by the function: a coroutine lets go of arguments at its end.
    adopted = wrap(run(functools.partial(_greenlet.aio._take_over, coroutine)))
    for name in ("__name__", "__qualname__"):
        setattr(adopted, name, getattr(coroutine, name, getattr(adopted, name)))
    return adopted


async def _as_native(coroutine):
    """The same, for those who want to see the coroutine of an `async def` function."""
    return await coroutine


async def ensure_portal():
    """Open a portal for the running task: from now on, ordinary functions can use `await_` anywhere in it.

    That lasts as long as the task; a task that has a portal is left as it is. From now on the task runs in a
    greenlet, so each time it has to wait costs two greenlet switches more. Under trio this is a checkpoint, each
    time: other tasks run, and it raises `trio.Cancelled` in a cancelled scope.

    Raises:
        RuntimeError: this is no task of asyncio or trio, or one of a kind whose coroutine can not be
            replaced; `portal` makes a portal for any awaitable from its start.
        What waiting raises: other tasks run once before it returns.
    """
    if (task := _asyncio_task()) is not None:
        if not has_portal():
            _replace_in_asyncio(task)
            await _next_step()
    elif (task := _trio_task()) is not None:
        if not has_portal():
            task.coro = _adopt(task.coro, _as_native)
            task.coro.send(None)
        await sys.modules["trio"].lowlevel.checkpoint()
    elif not has_portal():
        raise RuntimeError("ensure_portal() has to be awaited in a task of asyncio or trio")


def _asyncio_task():
    """The running task, or None."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return None
    task = asyncio.current_task()
    # Eager tasks that greenlets begin, and end in another order, leave one that has ended as the current one.
    return task if task is not None and not task.done() else None


def _trio_task():
    """The running task, or None."""
    trio = sys.modules.get("trio")
    if trio is None:
        return None
    try:
        return trio.lowlevel.current_task()
    except RuntimeError:
        return None


def _replace_in_asyncio(task):
    coroutine = task.get_coro()
    if coroutine is None:  # a task that began eagerly, and has not waited yet
        raise RuntimeError("ensure_portal() can't be used before an eager task waits for the first time")
    adopted = _adopt(coroutine, lambda portal_: portal_)
    try:
        import _asyncio
    except ImportError:
        replaced = False
    else:
        replaced = _greenlet.aio._replace_coroutine(task, _asyncio.Task, coroutine, adopted)
    if not replaced and getattr(task, "_coro", None) is coroutine:
        try:
            task._coro = adopted  # of asyncio's class of tasks in Python
        except AttributeError:
            pass
    if task.get_coro() is not adopted:
        adopted.close()
        raise RuntimeError(f"ensure_portal() can't replace the coroutine of a {type(task).__qualname__}; "
                           "start it with portal()")
    adopted.send(None)
