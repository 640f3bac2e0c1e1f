"""A pytest plugin that implements greenback's functions with `greenlet.aio`, so that greenback's tests test it.

Functions that `greenlet.aio` has under another name are used directly, with greenback's messages for exceptions.
`bestow_portal` and the functions based on it (portals for all tasks of a tree) have no counterpart, because a task
opens its own portal.
"""

import functools
import inspect

import greenback
import sniffio
from greenback import _impl, _util

from greenlet import aio


def await_(awaitable):
    library = sniffio.current_async_library()
    if library not in ("asyncio", "trio"):
        raise RuntimeError(f"greenback does not support {library}")
    if not aio.has_portal():
        raise RuntimeError("you must create a greenback portal in this task: greenback.ensure_portal()")
    if not inspect.isawaitable(awaitable):
        raise TypeError(f"object {type(awaitable).__name__} can't be used in 'await' expression")
    return aio.await_(awaitable)


def has_portal(task=None):
    if task is not None:
        raise NotImplementedError("greenlet.aio knows only the running task")
    return aio.has_portal()


async def with_portal_run(function, /, *args, **kwargs):
    return await aio.portal(function(*args, **kwargs))


async def with_portal_run_sync(function, /, *args, **kwargs):
    return await aio.run(function, *args, **kwargs)


async def with_portal_run_tree(function, /, *args, **kwargs):
    if sniffio.current_async_library() != "trio":
        raise RuntimeError("with_portal_run_tree() is only supported when running under Trio")
    raise NotImplementedError("greenlet.aio opens no portals for other tasks")


def bestow_portal(task):
    raise NotImplementedError("greenlet.aio opens no portals for other tasks")


def autoawait(function):
    @functools.wraps(function)
    def waits(*args, **kwargs):
        return aio.await_(function(*args, **kwargs))

    return waits


def decorate_as_sync(decorator):
    def decorate(function):
        @decorator
        @functools.wraps(function)
        def ordinary(*args, **kwargs):
            return aio.await_(function(*args, **kwargs))

        made = aio.async_(ordinary)
        made.__wrapped__ = function
        return made

    return decorate


REPLACED = {
    "ensure_portal": aio.ensure_portal,
    "has_portal": has_portal,
    "await_": await_,
    "bestow_portal": bestow_portal,
    "with_portal_run": with_portal_run,
    "with_portal_run_sync": with_portal_run_sync,
    "with_portal_run_tree": with_portal_run_tree,
    "autoawait": autoawait,
    "decorate_as_sync": decorate_as_sync,
    "async_context": aio.with_,
    "async_iter": aio.iter_,
}
for module in (greenback, _impl, _util):
    for name, function in REPLACED.items():
        if hasattr(module, name):
            setattr(module, name, function)
