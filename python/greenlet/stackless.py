"""Stackless Python's tasklets, channels and scheduler, on an ordinary interpreter.

Programs written for Stackless Python run here after ``import greenlet.stackless as stackless``. A *tasklet* is a function
that a scheduler runs in turn with others; a *channel* passes values between tasklets::

    import greenlet.stackless as stackless

    def producer(c):
        for number in range(3):
            c.send(number)
        c.close()

    def consumer(c):
        for number in c:
            print(number)

    c = stackless.channel()
    stackless.tasklet(consumer)(c)
    stackless.tasklet(producer)(c)
    stackless.run()

Tasklets that have begun can't be pickled, and there is no soft switching. Timeouts are times: the unit is 20 nanoseconds,
for one instruction of Stackless Python.
"""

import atexit as _atexit
import sys as _sys
import threading as _threading
import types as _types

from . import _greenlet

__all__ = [
    "PICKLEFLAGS_PRESERVE_AG_FINALIZER",
    "PICKLEFLAGS_PRESERVE_TRACING_STATE",
    "PICKLEFLAGS_RESET_AG_FINALIZER",
    "TaskletExit",
    "atomic",
    "channel",
    "enable_softswitch",
    "get_channel_callback",
    "get_schedule_callback",
    "get_thread_info",
    "getcurrent",
    "getcurrentid",
    "getdebug",
    "getmain",
    "getruncount",
    "getthreads",
    "getuncollectables",
    "pickle_flags",
    "pickle_flags_default",
    "pickle_with_tracing_state",
    "run",
    "schedule",
    "schedule_remove",
    "set_channel_callback",
    "set_error_handler",
    "set_schedule_callback",
    "stackless",
    "switch_trap",
    "tasklet",
]

TaskletExit = _greenlet.stackless.TaskletExit
atomic = _greenlet.stackless.atomic
channel = _greenlet.stackless.channel
get_channel_callback = _greenlet.stackless.get_channel_callback
get_schedule_callback = _greenlet.stackless.get_schedule_callback
get_thread_info = _greenlet.stackless.get_thread_info
getcurrent = _greenlet.stackless.getcurrent
getmain = _greenlet.stackless.getmain
getruncount = _greenlet.stackless.getruncount
run = _greenlet.stackless.run
schedule = _greenlet.stackless.schedule
schedule_remove = _greenlet.stackless.schedule_remove
set_channel_callback = _greenlet.stackless.set_channel_callback
set_error_handler = _greenlet.stackless.set_error_handler
set_schedule_callback = _greenlet.stackless.set_schedule_callback
switch_trap = _greenlet.stackless.switch_trap
tasklet = _greenlet.stackless.tasklet

stackless = _sys.modules[__name__]  # programs use `stackless.current` after `from stackless import *`

PICKLEFLAGS_PRESERVE_TRACING_STATE = 1
PICKLEFLAGS_PRESERVE_AG_FINALIZER = 2
PICKLEFLAGS_RESET_AG_FINALIZER = 4


def enable_softswitch(flag):
    """Set whether tasklets may be switched without C stacks of their own. Here the setting is always False.

    Parameters:
        flag: a truth value. None only returns the setting.
    Returns:
        False, the previous setting.
    Raises:
        NotImplementedError: the flag is true.
    """
    if flag:
        raise NotImplementedError(
            "soft switching needs an interpreter that keeps no state on the C stack; every switch here is from one C "
            "stack to another"
        )
    return False


def getcurrentid():
    """Return the id() of the running tasklet."""
    return id(getcurrent())


def getthreads():
    """Return the ids of all threads, the main thread's first."""
    return _greenlet.stackless._get_threads()


def getdebug():
    """Return False: this is not a debug build of Stackless Python."""
    return False


def getuncollectables():
    """Return an empty list. In Stackless Python the list has the tasklets that the garbage collector could not end."""
    return []


_ALL_PICKLE_FLAGS = 7
_default_pickle_flags = 0
_thread_flags = _threading.local()


def _changed(flags, new_flags, mask):
    """Return *flags* with the bits of *mask* taken from *new_flags*."""
    if new_flags == -1:
        return flags
    if new_flags & mask & ~_ALL_PICKLE_FLAGS or mask < -1 or (mask != -1 and mask & ~_ALL_PICKLE_FLAGS):
        raise ValueError("undefined bits are set")
    return (flags & ~mask) | (new_flags & mask)


def pickle_flags_default(new_default=-1, mask=-1):
    """Get and set the initial pickle flags of new threads. They are stored, but have no effect here.

    Parameters:
        new_default: a combination of PICKLEFLAGS_...; -1 for no change.
        mask: the bits to change; -1 for all.
    Returns:
        The previous flags.
    Raises:
        ValueError: undefined bits are set.
    """
    global _default_pickle_flags
    old = _default_pickle_flags
    _default_pickle_flags = _changed(old, new_default, mask)
    return old


def pickle_flags(new_flags=-1, mask=-1):
    """Get and set the pickle flags of the running thread. They are stored, but have no effect here.

    Parameters:
        new_flags: a combination of PICKLEFLAGS_...; -1 for no change.
        mask: the bits to change; -1 for all.
    Returns:
        The previous flags.
    Raises:
        ValueError: undefined bits are set.
    """
    old = getattr(_thread_flags, "flags", _default_pickle_flags)
    _thread_flags.flags = _changed(old, new_flags, mask)
    return old


class _Module(_types.ModuleType):
    """Computes some attributes of the module."""

    def __reduce__(self):
        return "stackless"  # the module's attribute that is the module itself

    @property
    def current(self):
        """The running tasklet: getcurrent()."""
        return getcurrent()

    @property
    def main(self):
        """The main tasklet of the thread: getmain()."""
        return getmain()

    @property
    def runcount(self):
        """How many tasklets of the thread are runnable: getruncount()."""
        return getruncount()

    @property
    def threads(self):
        """The ids of all threads, the main thread's first: getthreads()."""
        return getthreads()

    @property
    def debug(self):
        """Always False: getdebug()."""
        return getdebug()

    @property
    def uncollectables(self):
        """An empty list: getuncollectables()."""
        return getuncollectables()

    @property
    def pickle_with_tracing_state(self):
        """The flag PICKLEFLAGS_PRESERVE_TRACING_STATE, of the running thread and of new ones."""
        return bool(pickle_flags() & PICKLEFLAGS_PRESERVE_TRACING_STATE)

    @pickle_with_tracing_state.setter
    def pickle_with_tracing_state(self, value):
        flags = PICKLEFLAGS_PRESERVE_TRACING_STATE if value else 0
        pickle_flags(flags, PICKLEFLAGS_PRESERVE_TRACING_STATE)
        pickle_flags_default(flags, PICKLEFLAGS_PRESERVE_TRACING_STATE)


_sys.modules[__name__].__class__ = _Module
_atexit.register(_greenlet.stackless._kill_all)
