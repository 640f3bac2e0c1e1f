"""A run of a generated program (programs.py): its log, its slots, and what bounds it."""

import contextvars
import gc
import re
import threading
import weakref

from greenlet import getcurrent, greenlet

SLOTS = 8
R: list = [None] * SLOTS
V = [contextvars.ContextVar(f"v{i}", default=None) for i in range(2)]


class Oops(Exception):
    """An exception that programs raise."""


class Done(BaseException):
    """A program has used up its operations."""


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
    if isinstance(value, Numbered):
        return f"{type(value).__name__.lower()}{value.number}"
    if value is None or type(value) in (int, str, bool):
        return without_what_may_differ(repr(value))
    return f"<{type(value).__name__}>"


class Numbered:
    """What the log calls by a number, in the order of creation."""

    def __init__(self):
        run.names += 1
        self.number = run.names
        run.numbered.append(weakref.ref(self))


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
