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
The
  reference takes it for one that runs in another thread.
* A greenlet that survived `GreenletExit` and finishes later. The reference never releases it, this package does; here
  both keep it.
* A greenlet whose thread has ended. In the reference it is unstarted again: it has a `run`, which can be deleted, and
may
  be a parent in another thread. So no slot keeps one.
* Switching in a greenlet whose `run` has returned, while the result is passed on to a parent that is not active (its
own
  `run` is being looked up, or an exception replaces the result). In the reference that greenlet is already dead, so it
  is never resumed; here it is still active. Programs do nothing then.
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

SLOTS = 8
R: list = [None] * SLOTS
V = [contextvars.ContextVar(f"v{i}", default=None) for i in range(2)]


class Oops(Exception):
    """An exception that programs raise."""


class Done(BaseException):
    """A program has used up its operations."""


class Picky(Exception):
    """An exception that can't be created without an argument."""

    def __init__(self, argument):
        note(f"  Picky in {who()}")
        super().__init__(argument)


class Run:
    """One run of one program."""

    def __init__(self, fuel: int):
        self.fuel = fuel
        self.log: list[str] = []
        self.names = 0
        self.made: list[weakref.ref] = []
        self.numbered: list[weakref.ref] = []  # greenlets and guards, in the order of their creation
        self.survivors: list = []
        self.collecting = False
        self.has_cycle = False  # of parents, which is an error
        self.is_nested = False  # deallocations are nested too deeply
        self.kept: list = []
        self.draining = None
        self.destructors = 0  # of guards, in progress
        self.closed = False


run = Run(0)
is_storm = False  # whether every operation collects garbage
_object_at = re.compile(r"object at (0x[0-9a-fA-F]+)")
_address = re.compile(r"0x(?:[0-9a-fA-F]+|\(nil\))")
_work = re.compile(r"; runs (?:<\w+>|[^<>])*(?=>)")


def without_what_may_differ(text: str) -> str:
    """Remove addresses, and the parts that only this package's repr() has: a greenlet's function and line."""
    return _address.sub("0x", _work.sub("", text))


def show(value, depth: int = 3) -> str:
    if isinstance(value, greenlet):
        return value.__dict__.get("name", "main" if value.parent is None else "?")
    if depth and type(value) in (tuple, list):
        return type(value).__name__ + "(" + ", ".join(show(v, depth - 1) for v in value) + ")"
    if depth and type(value) is dict:
        return "{" + ", ".join(f"{k}: {show(v, depth - 1)}" for k, v in value.items()) + "}"
    if isinstance(value, BaseException):
        text = without_what_may_differ(str(value))
        if "different thread" in text:
            text = "different thread"  # the reference may notice the thread's end late
        if isinstance(value, AttributeError) and text.startswith("run: "):
            text = "run"  # the reference's whole message
        return f"{type(value).__name__}({text})"
    if isinstance(value, Guard):
        return f"guard{value.number}"
    if value is None or type(value) in (int, str, bool):
        return without_what_may_differ(repr(value))
    return f"<{type(value).__name__}>"


def note(text: str) -> None:
    if not run.closed:
        run.log.append(text)


def who() -> str:
    return show(getcurrent())


def op(own: Run, number: int) -> None:
    """Begin an operation. Remaining code of a program that has ended does no more operations."""
    if run.closed or run is not own or run.fuel <= 0 or run.draining == threading.get_ident():
        raise Done
    if has_cycle_of_parents((*R, getcurrent())):
        run.has_cycle = run.closed = True
        raise Done
    run.fuel -= 1
    if is_storm:
        gc.collect()
    note(f"{number} {who()}")


def has_cycle_of_parents(greenlets) -> bool:
    for root in greenlets:
        length = 0
        while root is not None:
            root = root.parent
            length += 1
            if length > 1000:
                return True
    return False


def look_for_cycles() -> None:
    """Look for cycles of parents in all greenlets, including unreferenced ones that are not collected yet."""
    if not run.has_cycle:
        run.has_cycle = has_cycle_of_parents(reference() for reference in run.made)


def back(function) -> None:
    """Call back a function of the program. This uses fuel too, so that every program ends."""
    if run.fuel > 0:
        run.fuel -= 1
        function()


def say(value) -> None:
    note(f"  {who()} got {show(value)}")


def caught(error: BaseException) -> None:
    places = []
    traceback = error.__traceback__
    while traceback is not None:
        places.append(f"{traceback.tb_frame.f_code.co_name}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    context = type(error.__context__).__name__
    note(f"  {who()} caught {show(error)} at {' '.join(places)} during {context}")


def exception_now() -> None:
    say(sys.exc_info()[1])


def G(slot: int):
    """Return the greenlet of a slot, or of the next slot that has one."""
    for i in range(SLOTS):
        g = R[(slot + i) % SLOTS]
        if g is not None:
            return g
    return getcurrent()


def name(g) -> None:
    run.names += 1
    g.__dict__["name"] = f"g{run.names}"
    run.made.append(weakref.ref(g))
    run.numbered.append(run.made[-1])


def make(slot: int, cls, *arguments, **named) -> None:
    g = cls(*arguments, **named)
    name(g)
    R[slot] = g


def keep(value) -> None:
    run.kept.append(value)
    if len(run.kept) > 6:
        del run.kept[0]


def watch(slot: int, function) -> None:
    """Create a weak reference to a greenlet, with a callback."""
    target = G(slot)
    if target.parent is None and threading.current_thread() is not threading.main_thread():
        return
    label = show(target)

    own = run

    def callback(reference):
        if own is not run:
            return
        note(f"  weakref {label} gone, in {who()}")
        back(function)

    run.kept.append(weakref.ref(target, callback))


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
    for reference in run.numbered:
        thing = reference()
        if gc.is_tracked(thing) and not (isinstance(thing, greenlet) and thing):
            ctypes.pythonapi.PyObject_GC_UnTrack(ctypes.py_object(thing))
            ctypes.pythonapi.PyObject_GC_Track(ctypes.py_object(thing))


def collect() -> None:
    if is_storm:
        gc.collect()
        return
    anchored = set()
    for root in (*R, getcurrent()):
        while root is not None and id(root) not in anchored:
            anchored.add(id(root))
            root = root.parent
    for reference in run.made:
        g = reference()
        if g is not None and g and id(g) not in anchored:
            return
    del root, g, reference
    note("  collect")
    if run.collecting:
        return  # called by a destructor of a collection, where gc.collect() does nothing
    look_for_cycles()
    run.collecting = True
    put_in_order()
    gc.collect()
    run.collecting = False


def deep(levels: int, function):
    return deep(levels - 1, function) if levels > 0 else function()


# Up to 3.12 CPython delays deallocations that are nested 50 deep. The two packages do not nest the same: they pass the
# values of a switch in up to three nested containers.
MOST_DESTRUCTORS = 12
# A chain of exceptions, tracebacks and frames can be as deep. The program is then not compared.
MOST_NESTED = 40
nested_deallocations = getattr(package._greenlet, "get_tstate_trash_delete_nesting", lambda: 0)


def is_finishing(callback) -> bool:
    """Return whether a callback runs in a greenlet without Python frames, whose parent can't be resumed at once."""
    parent = getcurrent().parent
    return callback.f_back is None and parent is not None and not parent


class Guard:
    """Calls a function when it is destroyed."""

    numbers = 0

    def __init__(self, function):
        run.names += 1
        self.number = run.names
        run.numbered.append(weakref.ref(self))
        self.function = function
        self.own = run

    def __del__(self):
        if self.own is not run:
            return
        if nested_deallocations() > MOST_NESTED:
            run.is_nested = run.closed = True
        note(f"  del guard{self.number} in {who()}")
        if is_finishing(sys._getframe()):
            return
        if run.destructors < MOST_DESTRUCTORS:
            run.destructors += 1
            try:
                back(self.function)
            finally:
                run.destructors -= 1


class Manager:
    """A context manager that calls a function at the end."""

    def __init__(self, function, swallow: bool):
        self.function = function
        self.swallow = swallow

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        note(f"  exit {kind.__name__ if kind else None} in {who()}")
        back(self.function)
        return self.swallow and not issubclass(kind or int, Done)


class Switcher:
    """Switches when it is compared, hashed, converted to text or to an integer."""

    def __init__(self, slot: int):
        self.slot = slot

    def __eq__(self, other):
        say(G(self.slot).switch("eq"))
        return True

    def __lt__(self, other):
        say(G(self.slot).switch("lt"))
        return True

    def __hash__(self):
        say(G(self.slot).switch("hash"))
        return 1

    def __repr__(self):
        say(G(self.slot).switch("repr"))
        return "Switcher"

    def __index__(self):
        say(G(self.slot).switch("index"))
        return 1

    def __getattr__(self, attribute):
        say(G(self.slot).switch("getattr"))
        return 1

    def __format__(self, specification):
        say(G(self.slot).switch("format"))
        return "Switcher"

    def __call__(self, *arguments):
        return G(self.slot).switch(*arguments)


class Sub(greenlet):
    function = None

    def __init__(self, function=None, parent=None):
        super().__init__(parent=parent)
        self.function = function

    def run(self, *arguments, **named):
        function = self.__dict__["function"]
        del self
        return function(*arguments, **named)


class SubDel(greenlet):
    at_end = staticmethod(lambda: None)

    def __del__(self):
        note(f"  __del__ {show(self)} in {who()} dead={self.dead}")
        back(self.at_end)


class SubRun(greenlet):
    """A greenlet whose property `run` calls a function."""

    def __init__(self, function=None, parent=None):
        super().__init__(parent=parent)
        self.function = function

    @property
    def run(self):
        note(f"  looking for run of {show(self)} in {who()}")
        hook = self.__dict__.get("hook")
        if hook is not None and not is_finishing(sys._getframe()):
            self.__dict__["hook"] = None
            back(hook)
        return self.__dict__["function"]


class SubSlots(greenlet):
    __slots__ = ("more",)


class NoInit(greenlet):
    def __init__(self, *_):
        pass


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
    if not is_storm:
        return set_real_trace(function)
    return set_real_trace(lambda *arguments: (gc.collect(), function is None or function(*arguments)))


def in_thread(function) -> None:
    """Run a function in a thread, and end the greenlets that it started and left suspended."""

    def target():
        name(getcurrent())
        del run.made[-1]
        try:
            function()
        except BaseException as error:
            caught(error)
        set_real_trace(None)
        run.draining = threading.get_ident()
        for variable in V:
            variable.set(None)
        try:
            for reference in list(run.made):
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
            run.draining = None
        for slot in range(SLOTS):
            if R[slot] is getcurrent():
                R[slot] = None
        while getcurrent().__dict__:  # destructors may add attributes
            getcurrent().__dict__.clear()

    before = run.draining
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    run.draining = before


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
        for reference in run.made if match else ():
            g = reference()
            if id(g) == int(match[1], 16):
                run.survivors.append(g)

    def flush(self) -> None:
        pass


def unraisable(arguments) -> None:
    note(f"  unraisable {show(arguments.exc_value)} in {who()}")


def execute(source: str, fuel: int) -> list[str]:
    """Run a program, and return its log."""
    global run
    gc.collect()
    run = Run(fuel)
    R[:] = [None] * SLOTS
    for variable in V:
        variable.set(None)
    stderr, hook = sys.stderr, sys.unraisablehook
    sys.stderr, sys.unraisablehook = Stderr(), unraisable
    namespace: dict = {"__name__": "program"}
    exec("from runtime import *", namespace)
    namespace["op"] = functools.partial(op, run)
    exec(compile(source, "<program>", "exec"), namespace)
    if is_storm:
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
    run.kept.clear()
    run.closed = True
    del namespace
    for _ in range(3):
        gc.collect()
    sys.stderr, sys.unraisablehook = stderr, hook
    return ["cycle of parents"] if run.has_cycle else ["nested deallocations"] if run.is_nested else run.log
