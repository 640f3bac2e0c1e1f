"""A pytest plugin that implements the greenlet functions of SQLAlchemy's asyncio layer with `greenlet.aio`.

So SQLAlchemy's tests of that layer test `greenlet.aio`.
"""

import asyncio
import contextvars
import sys

import sqlalchemy.util.concurrency as concurrency
from sqlalchemy import exc

from greenlet import aio

_has_awaited = contextvars.ContextVar("_has_awaited")  # a list if the function of greenlet_spawn() awaited


def in_greenlet():
    return aio.has_portal()


def await_(awaitable):
    if not aio.has_portal():
        if asyncio.iscoroutine(awaitable):
            awaitable.close()
        raise exc.MissingGreenlet(
            "greenlet_spawn has not been called; can't call await_() here. Was IO attempted in an unexpected place?"
        )
    _has_awaited.get([]).append(True)
    return aio.await_(awaitable)


async def greenlet_spawn(function, /, *args, _require_await=False, **kwargs):
    awaited = []
    token = _has_awaited.set(awaited)
    try:
        result = await aio.run(function, *args, **kwargs)
    finally:
        _has_awaited.reset(token)
    if _require_await and not awaited:
        raise exc.AwaitRequired("The current operation required an async execution but none was detected.")
    return result


REPLACED = {
    getattr(concurrency, name): function
    for name, function in {"in_greenlet": in_greenlet, "await_": await_, "greenlet_spawn": greenlet_spawn}.items()
}


def replace_in(names):
    for name, value in list(vars(names).items()):
        function = value.__func__ if isinstance(value, staticmethod) else value
        try:
            replacement = REPLACED.get(function)
        except TypeError:  # not hashable
            continue
        if replacement is not None:
            setattr(names, name, staticmethod(replacement) if isinstance(value, staticmethod) else replacement)


# Modules and classes that are already imported have their own names for the functions.
for module in [module for name, module in sys.modules.items() if name.partition(".")[0] == "sqlalchemy"]:
    for value in [module, *(value for value in vars(module).values() if isinstance(value, type))]:
        if not isinstance(value, type) or value.__module__.startswith("sqlalchemy."):
            replace_in(value)
