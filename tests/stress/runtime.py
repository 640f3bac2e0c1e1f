"""The functions that generated programs (programs.py) call. They keep the log, which must be the same on both packages.

A log has no addresses and no times. Greenlets are named in the order of their creation, other objects by
their class or number.

The two implementations differ on purpose in the following. Programs avoid it, or it is made equal here:

* Collection of cycles through the frames of suspended greenlets. The reference never collects them, this
  package does. So `collect()` does nothing while such garbage may exist, that is, while an active greenlet
  can't be reached through parents from the slots and the running greenlet.
* Greenlets that are suspended when their thread ends. The reference forgets them, this package ends them
  with GreenletExit if it can. A thread of a program ends its greenlets first.
* Addresses, and whether one is null: `repr()` of an unstarted greenlet shows its thread.
* `_stack_saved`, because this package saves no stacks. Programs do not read it.
* Arguments with which a greenlet could not be started: the reference keeps them in the greenlet, this
  package releases them. Programs with such greenlets pass no arguments whose destruction is logged.
* The depth of recursion in greenlets. Programs end before it matters.
* The main greenlet of a thread that has ended. In the reference it stays alive and true for some time. No
  slot keeps one, nothing watches it, and it keeps nothing.
* Whether CPython first releases the arguments of a call, whose destruction may switch away, or the bound method. For
  functions like `switch` here, this changes after a few calls. So no class makes `g.switch` a bound method, as a
  `__getattribute__` would. On 3.11, 3.14 and 3.15 the same is true of the greenlet itself, so programs pass no
  arguments there whose destruction is logged.
* Context variables that a thread leaves behind: different threads destroy their values. Threads leave none.
* The order in which a collection destroys unreachable cycles. It is the order of the collector's list, which earlier
  collections change, depending on which suspended frames they visit. So the list is put in order before each
  collection.
* `gr_context` of a suspended greenlet without a Python frame (its `run` is a C function, or its last frame has ended).
  The reference takes it for one that runs in another thread.
* A greenlet that survived `GreenletExit` and finishes later. The reference never releases it, this package does; here
  both keep it.
* A greenlet whose thread has ended. In the reference it is unstarted again: it has a `run`, which can be deleted, and
  may be a parent in another thread. So no slot keeps one.
* Switching in a greenlet whose `run` has returned, while the result is passed on to a parent that is not active (its
  own `run` is being looked up, or an exception replaces the result). In the reference that greenlet is already dead,
  so it is never resumed; here it is still active. Programs do nothing then.
"""

import contextvars
import copy
import ctypes
import functools
import gc
import operator
import pickle
import re
import sys
import threading
import time
import weakref

import program_run
from program_classes import Guard, Manager, NoInit, Picky, Sub, SubDel, SubRun, SubSlots, Switcher
from program_run import (
    SLOTS,
    Done,
    G,
    Oops,
    R,
    Run,
    V,
    back,
    caught,
    look_for_cycles,
    name,
    note,
    op,
    say,
    show,
    who,
    without_what_may_differ,
)

import greenlet as package
from greenlet import GreenletExit, getcurrent, gettrace, greenlet
from greenlet import settrace as set_real_trace

__all__ = [
    "Context",
    "Done",
    "G",
    "GreenletExit",
    "Guard",
    "Manager",
    "NoInit",
    "Oops",
    "Picky",
    "R",
    "Sub",
    "SubDel",
    "SubRun",
    "SubSlots",
    "Switcher",
    "V",
    "ask",
    "awaited",
    "caught",
    "collect",
    "context_of",
    "contextvars",
    "copy",
    "deep",
    "exception_now",
    "frames",
    "functools",
    "getcurrent",
    "gettrace",
    "greenlet",
    "in_thread",
    "keep",
    "leave_in_thread",
    "make",
    "make_late",
    "operator",
    "package",
    "pickle",
    "root",
    "say",
    "set_context",
    "settrace",
    "stubborn",
    "sys",
    "some_traceback",
    "trace_badly",
    "trace_raising",
    "trace_with",
    "tracer",
    "watch",
    "weakref",
]

_object_at = re.compile(r"object at (0x[0-9a-fA-F]+)")


def exception_now() -> None:
    say(sys.exc_info()[1])


def make(slot: int, cls, *arguments, **named) -> None:
    g = cls(*arguments, **named)
    name(g)
    R[slot] = g


def keep(value) -> None:
    program_run.run.kept.append(value)
    if len(program_run.run.kept) > 6:
        del program_run.run.kept[0]


def watch(slot: int, function) -> None:
    """Create a weak reference to a greenlet, with a callback."""
    target = G(slot)
    if target.parent is None and threading.current_thread() is not threading.main_thread():
        return
    label = show(target)

    own = program_run.run

    def callback(reference):
        if own is not program_run.run:
            return
        note(f"  weakref {label} gone, in {who()}")
        back(function)

    program_run.run.kept.append(weakref.ref(target, callback))


def frames() -> None:
    """Log the frames of the running greenlet, as the interpreter sees them."""
    frame = sys._getframe(1)
    text = []
    while frame is not None:
        text.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
        if frame.f_code.co_name == "main":
            break
        frame = frame.f_back
    note(f"  frames {' '.join(text)}")


def ask(slot: int) -> None:
    """Log all attributes of a greenlet."""
    g = G(slot)
    frame = g.gr_frame
    text = []
    while frame is not None:
        text.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
        if frame.f_code.co_name == "main":
            break
        frame = frame.f_back
    context = type(context_of(g)).__name__
    note(
        f"  {show(g)} {bool(g)} dead={g.dead} parent={show(g.parent)} frame={' '.join(text)} context={context} "
        f"run={hasattr(g, 'run')} {without_what_may_differ(repr(g))}"
    )


def root():
    """Return the main greenlet of the thread."""
    g = getcurrent()
    while g.parent is not None:
        g = g.parent
    return g


def is_of_this_thread(g) -> bool:
    while g.parent is not None:
        g = g.parent
    return g is root()


def has_no_frame(g) -> bool:
    return bool(g) and g is not getcurrent() and g.gr_frame is None and is_of_this_thread(g)


def context_of(g):
    if has_no_frame(g):
        return None
    try:
        return g.gr_context
    except ValueError as error:
        note(f"  {show(error)}")
        return None


def set_context(slot: int, context) -> None:
    g = G(slot)
    if not has_no_frame(g):
        g.gr_context = context


def put_in_order() -> None:
    """Make the next collection destroy greenlets and guards in the order of their creation."""
    for reference in program_run.run.numbered:
        thing = reference()
        if gc.is_tracked(thing) and not (isinstance(thing, greenlet) and thing):
            ctypes.pythonapi.PyObject_GC_UnTrack(ctypes.py_object(thing))
            ctypes.pythonapi.PyObject_GC_Track(ctypes.py_object(thing))


def collect() -> None:
    if program_run.is_storm:
        gc.collect()
        return
    anchored = set()
    for root in (*R, getcurrent()):
        while root is not None and id(root) not in anchored:
            anchored.add(id(root))
            root = root.parent
    for reference in program_run.run.made:
        g = reference()
        if g is not None and g and id(g) not in anchored:
            return
    del root, g, reference
    note("  collect")
    if program_run.run.collecting:
        return  # called by a destructor of a collection, where gc.collect() does nothing
    look_for_cycles()
    program_run.run.collecting = True
    put_in_order()
    gc.collect()
    program_run.run.collecting = False


def deep(levels: int, function):
    return deep(levels - 1, function) if levels > 0 else function()


def Context(function):
    """Call a function in a copy of the context."""
    return contextvars.copy_context().run(function)


def tracer(event, arguments) -> None:
    note(f"  trace {event} {show(arguments[0])} -> {show(arguments[1])} in {who()} {show(sys.exc_info()[1])}")


def trace_with(function):
    def calling_tracer(event, arguments):
        note(f"  trace+ {event} {show(arguments[0])} -> {show(arguments[1])} in {who()}")
        back(function)

    return calling_tracer


def make_late(slot: int, cls, function) -> None:
    """Create a greenlet whose `run` is set later."""
    g = cls()
    name(g)
    say(hasattr(g, "run"))
    g.run = function
    R[slot] = g


def stubborn(times: int, function):
    """Call a function again after each GreenletExit, up to *times* times."""
    for _ in range(times):
        try:
            return function()
        except GreenletExit as error:
            caught(error)
    return None


def awaited(function):
    """Call a function within coroutines."""

    async def inner():
        return function()

    async def outer():
        return await inner()

    try:
        outer().send(None)
    except StopIteration as stop:
        return stop.value


def some_traceback():
    try:
        raise Oops("traceback")
    except Oops as error:
        return error.__traceback__


def trace_raising(kind):
    def raising_tracer(event, arguments):
        note(f"  raising trace {event} {show(arguments[0])} -> {show(arguments[1])} in {who()}")
        raise kind("tracer")

    return raising_tracer


def trace_badly(event, arguments):
    note(f"  bad trace {event} {show(arguments[0])} -> {show(arguments[1])}")
    raise Oops("tracer")


def settrace(function):
    if not program_run.is_storm:
        return set_real_trace(function)
    return set_real_trace(lambda *arguments: (gc.collect(), function is None or function(*arguments)))


def in_thread(function) -> None:
    """Run a function in a thread, and end the greenlets that it started and left suspended."""

    def target():
        name(getcurrent())
        del program_run.run.made[-1]
        try:
            function()
        except BaseException as error:
            caught(error)
        set_real_trace(None)
        program_run.run.draining = threading.get_ident()
        for variable in V:
            variable.set(None)
        try:
            for reference in list(program_run.run.made):
                for _ in range(4):
                    g = reference()
                    if not g or g is getcurrent():
                        break
                    try:
                        g.throw(GreenletExit)
                    except package.error:
                        break
                    except BaseException:
                        pass
        finally:
            program_run.run.draining = None
        for slot in range(SLOTS):
            if R[slot] is getcurrent():
                R[slot] = None
        while getcurrent().__dict__:  # destructors may add attributes
            getcurrent().__dict__.clear()

    before = program_run.run.draining
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    program_run.run.draining = before


def park() -> None:
    getcurrent().parent.switch()


def leave_in_thread() -> None:
    """Use a greenlet that was suspended when its thread ended."""

    def target():
        g = greenlet(park)
        name(g)
        g.switch()
        left.append(g)

    left: list = []
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    g = left.pop()
    while not g.dead:  # the reference notices the thread's end late
        time.sleep(0.001)
    for action in (g.switch, g.throw):
        try:
            action()
        except package.error as error:
            caught(error)
    say((bool(g), g.dead, g.gr_frame, g.parent is None))


class Stderr:
    """Adds output to standard error to the log."""

    def write(self, text: str) -> None:
        self.keep_survivor(text)
        if text.strip():
            note(f"  stderr {without_what_may_differ(text.strip())}")

    def keep_survivor(self, text: str) -> None:
        match = _object_at.search(text)
        for reference in program_run.run.made if match else ():
            g = reference()
            if id(g) == int(match[1], 16):
                program_run.run.survivors.append(g)

    def flush(self) -> None:
        pass


def unraisable(arguments) -> None:
    note(f"  unraisable {show(arguments.exc_value)} in {who()}")


def execute(source: str, fuel: int) -> list[str]:
    """Run a program, and return its log."""
    gc.collect()
    program_run.run = Run(fuel)
    R[:] = [None] * SLOTS
    for variable in V:
        variable.set(None)
    stderr, hook = sys.stderr, sys.unraisablehook
    sys.stderr, sys.unraisablehook = Stderr(), unraisable
    namespace: dict = {"__name__": "program"}
    exec("from runtime import *", namespace)
    namespace["op"] = functools.partial(op, program_run.run)
    exec(compile(source, "<program>", "exec"), namespace)
    if program_run.is_storm:
        settrace(None)
    try:
        namespace["main"]()
    except BaseException as error:
        caught(error)
        del error
    set_real_trace(None)
    note("end")
    for slot in range(SLOTS):
        note(f"slot {slot} {show(R[slot])} {bool(R[slot])}")
        try:
            R[slot] = None
        except BaseException as error:
            caught(error)
    getcurrent()
    look_for_cycles()
    program_run.run.kept.clear()
    program_run.run.closed = True
    del namespace
    for _ in range(3):
        gc.collect()
    sys.stderr, sys.unraisablehook = stderr, hook
    return (
        ["cycle of parents"]
        if program_run.run.has_cycle
        else ["nested deallocations"]
        if program_run.run.is_nested
        else program_run.run.log
    )
