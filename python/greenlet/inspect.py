"""What the greenlets of this process do: lists, stacks, trees, dumps, figures, and recordings of switches.

Everything here looks without stopping anything: no greenlet is switched to, and none changes::

    from greenlet import inspect

    inspect.dump()                  # the stacks of all greenlets, equal ones once, on standard error
    inspect.stats().active          # how many there are
    inspect.watch(max_block=0.1)    # from now on, report what holds its thread for longer than 0.1 s
"""

import io as _io
import sys as _sys
import threading as _threading
import traceback as _traceback
from typing import NamedTuple as _NamedTuple

from ._greenlet import greenlet as _greenlet_type
from ._greenlet import inspect as _inspect
from ._recording import Recording, record
from ._recording_page import page
from ._recording_ring import recover
from ._signal_dump import dump_on_signal, stop_dumping_on_signal
from ._text import count as _counted
from ._watch import WAITS, Block, Watch, watch

__all__ = [
    "TRACEMALLOC_DOMAIN",
    "WAITS",
    "Block",
    "Recording",
    "Statistics",
    "ThreadStatistics",
    "Watch",
    "dump",
    "dump_on_signal",
    "greenlets",
    "page",
    "record",
    "recover",
    "stack",
    "stats",
    "stop_dumping_on_signal",
    "tree",
    "watch",
]

#: The domain in which ``tracemalloc`` counts the stacks of greenlets, for ``tracemalloc.DomainFilter``.
TRACEMALLOC_DOMAIN = _inspect.TRACEMALLOC_DOMAIN


def greenlets(thread=None):
    """Return the active greenlets: those that have started and not finished.

    A thread has a main greenlet from when it first uses greenlets. Greenlets of a thread that has ended are listed as
    long as something refers to them, although nothing can resume them; but not for a *thread*, because another thread
    may have the same ``ident`` by then.

    Parameters:
        thread: a ``threading.Thread`` or the ``ident`` of one. By default all threads of this interpreter are meant.
            CPython 3.13 without a GIL shows only the running thread's.
    Returns:
        A list of greenlets. For each thread the main greenlet comes first, then the others, last started first.
    Raises:
        TypeError: *thread* is neither.
    """
    return _inspect._greenlets(_identifier(thread))


def stack(g, /):
    """Return the stack of a greenlet, whichever thread it belongs to.

    Parameters:
        g: a greenlet. It may be suspended, or run in this thread or another one.
    Returns:
        A ``traceback.StackSummary``, outermost call first. It is empty if the greenlet has not started, has finished,
        or runs in another thread and has none of Python's frames just now.
    Raises:
        TypeError: *g* is not a greenlet.
    """
    return _summary(_innermost_frame(g))


def tree(file=None):
    """Write the active greenlets as a tree: each below its parent, each thread apart.

    Parameters:
        file: where to write, an object with ``write()``. By default ``sys.stderr``.
    """
    lines = []
    for thread, members in _by_thread(greenlets()):
        lines.append(f"{thread}: {_counted(len(members), 'greenlet')}")
        present = set(map(id, members))
        children = {}
        for g in reversed(members):
            parent = g.parent
            children.setdefault(id(parent) if id(parent) in present else None, []).append(g)
        lines += _branches(children)
    _write(file, lines)


def dump(file=None, *, group=True, limit=None, native=False):
    """Write the stacks of all active greenlets, for each thread apart.

    Parameters:
        file: where to write, an object with ``write()``. By default ``sys.stderr``.
        group: whether greenlets that are the same and have the same stack are shown once, with their number. The most
            frequent ones come first then.
        limit: how many of the innermost calls of a stack are shown. By default all are.
        native: whether the calls of C functions are shown too, of one greenlet of each group. Not of greenlets that
            run in another thread, nor on processors without a switch of their own.
    Raises:
        ValueError: *limit* is negative.
    """
    if limit is not None and limit < 0:
        raise ValueError(f"limit must not be negative: {limit}")
    lines = []
    for thread, members in _by_thread(greenlets()):
        lines += [f"{thread}: {_counted(len(members), 'greenlet')}", ""]
        groups = {}
        for number, g in enumerate(members):
            description = _description(g)
            frames = _frames(_innermost_frame(g))
            shown = frames[len(frames) - limit :] if limit is not None else frames
            key = (description, tuple(shown)) if group else number
            groups.setdefault(key, (description, shown, len(frames), []))[-1].append(g)
        for description, shown, depth, same in sorted(groups.values(), key=lambda found: -len(found[-1])):
            lines += _entry(description, shown, depth, same)
            if native:
                lines[-1:] = [*_native_lines(same[0], limit), ""]
    _write(file, lines)


class ThreadStatistics(_NamedTuple):
    """What the greenlets of a thread did since it first used greenlets.

    Attributes:
        name: the name of the ``threading.Thread``, or None if the thread has none or has ended.
        ident: its ``ident``.
        active: how many greenlets are active, the main one included.
        started: how many greenlets were started, without the main one.
        finished: how many of these have finished, or were abandoned.
        switches: how often another greenlet became the current one.
        free_stacks: how many stacks the thread keeps for the next greenlets.
    """

    name: str | None
    ident: int
    active: int
    started: int
    finished: int
    switches: int
    free_stacks: int


class Statistics(_NamedTuple):
    """Figures of all greenlets of this interpreter, and of the memory of all stacks of the process.

    Attributes:
        threads: a tuple of ThreadStatistics, one for each thread that has greenlets.
        active, started, finished, switches: their sums.
        stacks: how many stacks there are, for all interpreters.
        stacks_in_use: how many of them are a greenlet's. The others wait for the next greenlets.
        reserved: the address space that stacks take, in bytes.
        resident: how much of it is in memory, in bytes.
        page_tables: the memory that the kernel needs to find it, in bytes.
        deepest: how much of the deepest stack is in memory, in bytes: about as much as calls have used at once since
            the stack was new or trimmed. ``stack_size()`` should be larger.
    """

    threads: tuple[ThreadStatistics, ...]
    active: int
    started: int
    finished: int
    switches: int
    stacks: int
    stacks_in_use: int
    reserved: int
    resident: int
    page_tables: int
    deepest: int


def stats():
    """Count greenlets, switches and the memory of stacks.

    The system is asked about each page, which takes about 13 microseconds a stack. Other threads run meanwhile.

    Returns:
        A Statistics.
    """
    names = _thread_names()
    threads = tuple(
        ThreadStatistics(
            name=None if has_ended else names.get(ident),
            ident=ident,
            active=started - finished + (not has_ended),
            started=started,
            finished=finished,
            switches=switches,
            free_stacks=free_stacks,
        )
        for ident, has_ended, started, finished, switches, free_stacks in _inspect._thread_counts()
    )
    sums = (sum(getattr(thread, name) for thread in threads) for name in ("active", "started", "finished", "switches"))
    return Statistics(threads, *sums, *_inspect._stack_usage())


_DEEPEST_INDENT = 200

# --- what a greenlet is ----------------------------------------------------------------------------------------------


def _name_of(function):
    try:
        return function.__qualname__
    except Exception:  # a callable may have no name, or an attribute that fails
        return type(function).__qualname__


def _description(g):
    """Say what a greenlet is, in the same words for all that run the same."""
    role, phase, _, _, run = _inspect._place(g)
    if role == "main":
        return "main greenlet", phase
    if role == "greenlet" and type(g) is not _greenlet_type:
        role = f"{type(g).__module__}.{type(g).__qualname__}"
        if getattr(run, "__self__", None) is g:
            run = getattr(g, "_run", run)  # as gevent calls it
    return role if run is None else f"{role} {_name_of(run)}", phase


# --- frames ----------------------------------------------------------------------------------------------------------


def _innermost_frame(g):
    _, phase, ident, is_here, _ = _inspect._place(g)
    if phase == "suspended":
        return g.gr_frame
    if phase != "current":
        return None
    if is_here:
        return _caller(_sys._getframe())
    return _sys._current_frames().get(ident)


def _caller(frame):
    """Return the innermost frame outside this module."""
    while frame is not None and frame.f_globals is globals():
        frame = frame.f_back
    return frame


def _frames(frame):
    """Return (file, line, name of the function) of each call, outermost first."""
    frames = []
    while frame is not None:
        code = frame.f_code
        frames.append((code.co_filename, frame.f_lineno, code.co_qualname))
        frame = frame.f_back
    frames.reverse()
    return frames


def _summary(frame):
    found = _traceback.StackSummary.extract(_traceback.walk_stack(frame), lookup_lines=False) if frame else []
    summary = _traceback.StackSummary.from_list(found)
    summary.reverse()
    return summary


# --- text ------------------------------------------------------------------------------------------------------------


def _identifier(thread):
    if thread is None or (isinstance(thread, int) and not isinstance(thread, bool)):
        return thread
    if isinstance(thread, _threading.Thread):
        return thread.ident if thread.ident is not None else 0
    raise TypeError(f"thread must be a threading.Thread or its ident, not {type(thread).__name__!r}")


def _thread_names():
    return {thread.ident: thread.name for thread in _threading.enumerate()}


def _by_thread(members):
    """Return [(description of a thread, its greenlets)], the thread with most greenlets first."""
    names = _thread_names()
    threads = {}
    for g in members:
        _, phase, ident, _, _ = _inspect._place(g)
        threads.setdefault((ident, phase == "abandoned"), []).append(g)

    def describe(ident, has_ended):
        name = "that has ended" if has_ended else names.get(ident)
        return f"thread {ident:#x}" + (f" ({name})" if name else "") if ident is not None else "no thread"

    most_first = sorted(threads.items(), key=lambda item: -len(item[1]))
    return [(describe(*thread), found) for thread, found in most_first]


def _branches(children):
    """Return the lines of a tree: *children* has lists of greenlets by the id() of their parent, None for the roots."""
    lines = []
    waiting = [(g, "", number == 0) for number, g in enumerate(reversed(children.get(None, [])))]
    while waiting:
        g, indent, is_last = waiting.pop()
        what, phase = _description(g)
        frame = _innermost_frame(g)
        place = f", {frame.f_code.co_qualname} at {frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
        # A chain of thousands is indented no further than can be read.
        lines.append(f"{indent}{'└── ' if is_last else '├── '}{what}, {phase}{place}")
        inner = (indent + ("    " if is_last else "│   "))[-_DEEPEST_INDENT:]
        waiting += [(child, inner, number == 0) for number, child in enumerate(reversed(children.get(id(g), [])))]
    return lines


def _entry(description, shown, depth, same):
    what, phase = description
    count = f"{len(same):,} x " if len(same) > 1 else ""
    addresses = f" at {id(same[0]):#x}" if len(same) == 1 else ""
    lines = [f"{count}{what}{addresses}, {phase}"]
    if depth > len(shown):
        lines.append(f"  ... {_counted(depth - len(shown), 'outer call')}")
    lines += [f'  File "{file}", line {line}, in {name}' for file, line, name in shown]
    return [*lines, ""]


def _native_lines(g, limit):
    calls = _inspect._native_stack(g)
    if calls is None:
        return ["  its C stack can't be seen from here"]
    shown = [
        f"  C {f'{function}+' if function else ''}{offset:#x}" + (f" in {file}" if file else "")
        for function, file, offset in reversed(calls)
    ]
    return shown[len(shown) - limit :] if limit is not None else shown


def _write(file, lines):
    text = _io.StringIO()
    text.writelines(f"{line}\n" for line in lines)
    (file if file is not None else _sys.stderr).write(text.getvalue())
