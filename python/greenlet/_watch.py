"""greenlet.inspect.watch(): which greenlet held its thread for too long."""

import atexit
import os
import sys
import traceback
import weakref
from typing import NamedTuple

from ._greenlet import inspect as _inspect

WAITS = (
    "asyncio.runners.Runner.run",
    "asyncio.windows_events.IocpProactor._poll",
    "concurrent.futures.thread._worker",
    "eventlet.hubs.epolls.Hub.do_poll",
    "eventlet.hubs.poll.Hub.do_poll",
    "eventlet.hubs.poll.Hub.wait",
    "eventlet.hubs.selects.Hub.wait",
    "gevent._threading._Condition.wait",
    "gevent._threading.acquire_with_timeout",
    "gevent.hub.Hub.run",
    "gevent.libuv.loop.loop.run",
    "selectors.EpollSelector.select",
    "selectors.PollSelector.select",
    "selectors.SelectSelector._select",
    "selectors.SelectSelector.select",
    "selectors._PollLikeSelector.select",
    "trio._core._io_epoll.EpollIOManager.get_events",
    "trio._core._io_windows.WindowsIOManager.get_events",
)


class Block(NamedTuple):
    """A greenlet that held its thread.

    Attributes:
        greenlet: the greenlet, or None if it has gone, or can't be looked up (another thread's on CPython 3.13 without
            a GIL).
        thread: the ``ident`` of its thread.
        seconds: how long it has held the thread so far.
        stack: a ``traceback.StackSummary`` of where it is, outermost call first.
        has_moved_on: whether the thread has switched since. The greenlet had kept the GIL, so that it could not be
            looked at earlier, and the stack is only where it has got to.
    """

    greenlet: object
    thread: int
    seconds: float
    stack: traceback.StackSummary
    has_moved_on: bool

    def __str__(self):
        """Describe it in several lines, which end with the stack."""
        who = f"greenlet at {id(self.greenlet):#x}" if self.greenlet is not None else "a greenlet"
        late = " and has switched since; it is now here" if self.has_moved_on else ""
        lines = [f"{who} held thread {self.thread:#x} for {self.seconds:.2f} s without a switch{late}:\n"]
        return "".join([*lines, *self.stack.format()])


class Watch:
    """What watch() returns. As a context manager it ends with the block.

    Attributes:
        found: how many blocks were reported in this process.
    """

    def __init__(self, max_block, on_block, waits):
        self._nanoseconds = int(max_block * 1e9)
        self._on_block = on_block
        self._waits = frozenset(waits)
        self._start()
        _watches.add(self)

    def _start(self):
        self.found = 0
        self._handle = _inspect._start_watch(self._nanoseconds, self._run)

    def stop(self):
        """End the watch. A call of ``on_block`` that is in progress is waited for."""
        _watches.discard(self)
        _inspect._stop_watch(self._handle)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def _run(self, handle):
        process = os.getpid()  # on_block may fork, and the child has a watch of its own
        while os.getpid() == process and (blocks := _inspect._wait_for_blocks(handle)) is not None:
            for block in blocks:
                try:
                    self._tell(*block)
                except Exception:
                    traceback.print_exc()

    def _tell(self, ident, identity, nanoseconds, switches):
        frame = sys._current_frames().get(ident)
        if frame is not None and _name_of_call(frame) in self._waits:
            return
        found = next((g for g in _inspect._greenlets(ident) if id(g) == identity), None)
        now = next((counts[4] for counts in _inspect._thread_counts() if counts[0] == ident and not counts[1]), None)
        stack = traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=False) if frame else []
        stack.reverse()
        self.found += 1
        self._on_block(Block(found, ident, nanoseconds / 1e9, traceback.StackSummary.from_list(stack), now != switches))


def watch(max_block=0.1, on_block=None, *, waits=()):
    """Report greenlets that hold their thread without a switch, so that the thread's other greenlets wait.

    A thread of its own looks at counters of switches four times in *max_block*, so switching costs nothing more. It is
    one of the system's threads, not one of ``threading``, which libraries replace. A block is reported once. Threads
    without a second greenlet are not watched, nor is a thread whose innermost call is one that waits for events. The
    child of an ``os.fork()`` is watched as its parent was.

    Parameters:
        max_block: how long a greenlet may hold its thread, in seconds, at least 0.001.
        on_block: a callable, which gets a Block. It is called in the watch's thread, beside the program's other
            threads. By default the block is written to ``sys.stderr``.
        waits: more names, like those in WAITS, of functions in which a thread waits for events: the module and the
            qualified name.
    Returns:
        A Watch. Use it in a ``with`` statement, or call its ``stop()``.
    Raises:
        TypeError: *on_block* is not callable.
        ValueError: *max_block* is too small.
        OSError: there is no room for another thread.
    """
    if not max_block >= 0.001 or max_block > 1e9:
        raise ValueError(f"max_block must be a number of seconds, at least 0.001: {max_block!r}")
    if on_block is not None and not callable(on_block):
        raise TypeError(f"on_block must be callable, not {type(on_block).__name__!r}")
    return Watch(max_block, on_block if on_block is not None else _write, (*WAITS, *waits))


_watches: weakref.WeakSet = weakref.WeakSet()


@atexit.register
def _stop_all():
    for each in list(_watches):
        each.stop()


# The child of a fork has only the thread that forked.
def _start_again():
    for each in list(_watches):
        each._start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_again)


def _write(block):
    sys.stderr.write(f"{block}\n")


def _name_of_call(frame):
    code = frame.f_code
    return f"{frame.f_globals.get('__name__')}.{code.co_qualname}"
