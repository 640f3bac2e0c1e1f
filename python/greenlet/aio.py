"""Ordinary functions that wait for awaitables, in asyncio, trio and libraries built on them.

An ``async def`` function can wait only in its own frame, so all its callers have to be ``async def`` functions
too. A function that `run` calls, and all functions below it, wait with a plain call::

    from greenlet.aio import await_, run

    def fetch(url):                     # an ordinary function, of a library perhaps
        return await_(client.get(url)).text

    async def main():
        print(await run(fetch, "https://example.org"))

While the function waits, other tasks of the event loop run. It is part of the task that awaits it: it has the
task's context variables, and is cancelled with the task.
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
    """Return the function of the same name that is written in C, with the attributes of this one.

    These attributes tell `inspect` and `asyncio`, and so frameworks, that the function is to be awaited.
    """
    function = getattr(_greenlet.aio, described.__name__)
    for name in ("__module__", "__doc__", "__code__", "__defaults__", "__kwdefaults__", "__annotations__"):
        setattr(function, name, getattr(described, name))
    return function


@_written_in_c
async def run(function, /, *args, **kwargs):
    """Call an ordinary function that may await: ``result = await run(function, 1, x=2)``.

    The function starts when the coroutine is awaited, or when a task made of it runs. In the function, and in all
    functions below it, `await_` waits for awaitables of the event loop while other tasks run. The function is part
    of the task that awaits it, and has its context variables, cancellation and timeouts.

    Parameters:
        function: any callable.
        args, kwargs: its arguments.
    Returns:
        A coroutine with the function's result.
    Raises:
        TypeError: the function is missing, not callable or asynchronous, or it is a Python function that can't be
            called with these arguments.
        When awaited: whatever the function raises; a `StopIteration` becomes the cause of a `RuntimeError`.
    """


@_written_in_c
async def portal(awaitable, /):
    """Await something with a portal: ``await portal(main())``, ``asyncio.run(portal(main()))``.

    Ordinary functions that the awaitable calls, at any depth, can use `await_`. What the awaitable itself awaits
    goes through the portal too, which costs two greenlet switches each time it has to wait.

    Parameters:
        awaitable: any object that ``await`` accepts.
    Returns:
        A coroutine with the awaitable's result.
    Raises:
        TypeError: the argument is not awaitable.
        When awaited: whatever the awaitable raises.
    """


def async_(function):
    """Decorate an ordinary function that uses `await_`, to make it an asynchronous function.

    A generator function, native or of `greenlet.generators`, becomes an asynchronous generator function, whose
    body may use `await_` between the values.

    Parameters:
        function: a function, a method (in the body of a class), a `classmethod` or a `staticmethod`.
    Returns:
        An asynchronous function, which calls the decorated one through `run`.
    Raises:
        TypeError: the function is not callable, or is asynchronous already.
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
        return await made.pop()  # this frame, which a traceback may keep, must not refer to the coroutine

    return _with_arguments_checked(function, asynchronous, inspect.CO_COROUTINE)


def _with_arguments_checked(function, asynchronous, flag):
    """Return a function that calls `asynchronous`, but raises a `TypeError` about arguments at once, not when awaited.

    Its code has the flag that `inspect` reads to recognize asynchronous functions. The interpreter ignores the flag.
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
    """Return the value that a method of a generator yields, or `_END`."""
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

    ``with with_(manager) as value`` does what ``async with manager as value`` does. It needs a portal: entering
    and leaving raise what `await_` raises.

    Parameters:
        manager: any object that ``async with`` accepts.
    Raises:
        TypeError: the argument is not an asynchronous context manager.
    """

    __slots__ = ("_manager",)

    def __init__(self, manager, /):
        if not (hasattr(type(manager), "__aenter__") and hasattr(type(manager), "__aexit__")):
            raise TypeError(f"{type(manager).__name__!r} object is not an asynchronous context manager")
        self._manager = manager

    def __enter__(self):
        manager = self._manager
        return await_(type(manager).__aenter__(manager))

    def __exit__(self, *exception):
        manager = self._manager
        return await_(type(manager).__aexit__(manager, *exception))


@types.coroutine
def _next_step():
    """Let asyncio's event loop run other tasks once."""
    yield


def _adopt(coroutine, wrap):
    """Return a coroutine that takes over *coroutine*, the running one, when that suspends.

    The caller must start it at once.
    """
    # The partial object keeps the coroutine until the task ends, as asyncio does; arguments would be released earlier.
    adopted = wrap(run(functools.partial(_greenlet.aio._take_over, coroutine)))
    for name in ("__name__", "__qualname__"):
        setattr(adopted, name, getattr(coroutine, name, getattr(adopted, name)))
    return adopted


async def _as_native(coroutine):
    """Wrap a coroutine for Trio, which accepts only coroutines of `async def` functions."""
    return await coroutine


async def ensure_portal():
    """Open a portal for the running task: from now on, ordinary functions can use `await_` anywhere in it.

    The portal lasts as long as the task. If the task has one already, nothing changes. The task runs in a greenlet
    from now on, so each wait costs two more greenlet switches. Under asyncio, other tasks run once if a portal is
    opened. Under trio, each call is a checkpoint: other tasks run, and in a cancelled scope it raises
    `trio.Cancelled`.

    Raises:
        RuntimeError: this is not a task of asyncio or trio, or the coroutine of such a task can't be replaced. In
            that case use `portal`, which opens a portal for any awaitable from its start.
        Whatever waiting raises, such as `asyncio.CancelledError`.
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
    # If greenlets do not finish eager tasks in the reverse order of their starts, a finished one can stay current.
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
    """Make a task of asyncio run through a portal from its next step on."""
    coroutine = task.get_coro()
    if coroutine is None:  # an eager task that has not waited yet
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
            task._coro = adopted  # asyncio's task class in Python
        except AttributeError:
            pass
    if task.get_coro() is not adopted:
        adopted.close()
        raise RuntimeError(
            f"ensure_portal() can't replace the coroutine of a {type(task).__qualname__}; start it with portal()"
        )
    adopted.send(None)
