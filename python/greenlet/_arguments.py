"""Makes the interpreter itself raise errors about wrong arguments."""

import types

_NOTHING = (lambda: None).__code__


def empty(function):
    """Return a function that has the name and the parameters of *function*, and does nothing."""
    code = function.__code__.replace(
        co_code=_NOTHING.co_code,
        co_consts=_NOTHING.co_consts,
        co_names=(),
        co_freevars=(),
        co_cellvars=(),
        co_linetable=_NOTHING.co_linetable,
        co_exceptiontable=_NOTHING.co_exceptiontable,
        co_stacksize=_NOTHING.co_stacksize,
    )
    made = types.FunctionType(code, {}, function.__name__, function.__defaults__)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__ = function.__qualname__
    return made
