"""Greenlets: functions with stacks of their own, that switch to each other at any call depth.

Create one with ``greenlet(run)``, enter it with ``g.switch(...)``; see the documentation of the class.
"""

__version__ = "3.100.0"

# Which package of this name it is: PyPI's has no such attribute.
implementation = "stackful"

__all__ = [
    "__version__",
    "_C_API",
    "GreenletExit",
    "error",
    "getcurrent",
    "greenlet",
    "gettrace",
    "implementation",
    "on_thread_stack",
    "report_stack_overflow",
    "settrace",
    "stack_size",
    "trim_stacks",
]

from ._greenlet import (
    _C_API,
    CLOCKS_PER_SEC,
    GREENLET_USE_CONTEXT_VARS,
    GREENLET_USE_GC,
    GREENLET_USE_TRACING,
    GreenletExit,
    enable_optional_cleanup,
    error,
    get_clocks_used_doing_optional_cleanup,
    getcurrent,
    greenlet,
    gettrace,
    on_thread_stack,
    report_stack_overflow,
    settrace,
    stack_size,
    trim_stacks,
)
