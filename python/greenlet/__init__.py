"""Greenlets: functions that run on their own stacks, and switch to each other at any call depth.

``g = greenlet(run)`` creates a greenlet, and ``g.switch(...)`` switches to it; see ``help(greenlet.greenlet)``::

    from greenlet import getcurrent, greenlet

    def ask(name):
        answer = main.switch("Who are you, " + name + "?")
        return "So you are " + answer

    main = getcurrent()
    g = greenlet(ask)
    print(g.switch("stranger"))     # starts it: Who are you, stranger?
    print(g.switch("Ada"))          # resumes it: So you are Ada

Modules: `greenlet.generators` (generators that yield from any call depth), `greenlet.aio` (ordinary functions that
await), `greenlet.stackless` (tasklets and channels) and `greenlet.inspect` (what greenlets do).
``python -m greenlet`` prints which greenlet this is, and what it found on the system.
"""

__version__ = "3.100.0"

# Distinguishes this package from PyPI's, which has no such attribute.
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
