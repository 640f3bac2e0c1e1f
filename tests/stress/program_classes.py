"""The classes of generated programs (programs.py), whose objects do something when they are looked for, used or destroyed."""

import sys

import program_run
from program_run import Done, G, Numbered, back, note, say, show, who

import greenlet as package
from greenlet import getcurrent, greenlet

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


class Picky(Exception):
    """An exception that can't be created without an argument."""

    def __init__(self, argument):
        note(f"  Picky in {who()}")
        super().__init__(argument)


class Guard(Numbered):
    """Calls a function when it is destroyed."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.own = program_run.run

    def __del__(self):
        if self.own is not program_run.run:
            return
        if nested_deallocations() > MOST_NESTED:
            program_run.run.is_nested = program_run.run.closed = True
        note(f"  del guard{self.number} in {who()}")
        if is_finishing(sys._getframe()):
            return
        if program_run.run.destructors < MOST_DESTRUCTORS:
            program_run.run.destructors += 1
            try:
                back(self.function)
            finally:
                program_run.run.destructors -= 1


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
