"""Every function of the C API, with a greenlet in every state, at every odd moment.

usage: states.py CLIENT [MOMENT [STATE [CALL]]]        CLIENT is client.c, compiled

Prints a line for each case: moment, state, call and outcome. A case runs in a greenlet `caller`, a child of the main
greenlet. If `caller` switches to the main greenlet, that resumes it with "resumed".
"""

import contextlib
import faulthandler
import gc
import importlib.util
import itertools
import sys
import threading
from pathlib import Path

import greenlet as package
from greenlet import GreenletExit, getcurrent, greenlet

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capi.moments import echo, with_an_exception_set, without_memory
from capi.moments import moment as MOMENTS
from support.registry import Registry

try:
    import _testcapi
except ImportError:  # makes allocations fail
    _testcapi = None
restore_memory = _testcapi.remove_mem_hooks if _testcapi else lambda: None

spec = importlib.util.spec_from_file_location("client", sys.argv[1])
client = importlib.util.module_from_spec(spec)
spec.loader.exec_module(client)

state = STATES = Registry()
CALLS = {}
main = getcurrent()
MOST_ALLOCATIONS = 60  # successful allocations before one fails


def parrot(*arguments, **named):
    value = arguments or named
    while True:
        value = getcurrent().parent.switch(value)


def fails():
    raise KeyError("failed")


class NoInit(greenlet):
    def __init__(self):
        pass


class Thread:
    """A thread that calls functions one after the other, in a greenlet of its own."""

    def __init__(self):
        self.wanted = self.result = None
        self.can_begin, self.is_done = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=lambda: greenlet(self.run).switch(), daemon=True)
        self.thread.start()

    def run(self):
        while True:
            self.can_begin.acquire()
            if self.wanted is None:
                return
            self.result = self.wanted()
            self.is_done.release()

    def do(self, function):
        self.wanted = function
        self.can_begin.release()
        self.is_done.acquire()
        result, self.result = self.result, None
        return result

    def end(self):
        self.wanted = None
        self.can_begin.release()
        self.thread.join()


other_thread = Thread()


def in_ended_thread(function):
    thread = Thread()
    result = thread.do(function)
    thread.end()
    return result


def started(run, *arguments):
    g = greenlet(run)
    try:
        g.switch(*arguments)
    except LookupError:
        pass
    return g


# --- the states ------------------------------------------------------------------------------------------------------


@state
def unstarted():
    return greenlet(echo)


@state
def without_run():
    return greenlet()


@state
def with_run_not_callable():
    return greenlet(5)


@state
def without_init():
    return NoInit()


@state
def only_new():
    return greenlet.__new__(NoInit)


@state
def current():
    return getcurrent()


@state
def parent_of_current():
    return getcurrent().parent


@state
def suspended():
    return started(parrot)


@state
def suspended_in_c():
    return started(lambda: list(map(parrot, (1,))))


@state
def finished():
    return started(echo)


@state
def failed():
    return started(fails)


@state
def thrown_before_its_start():
    g = greenlet(echo)
    g.throw(GreenletExit)
    return g


@state
def cleared_unstarted():
    g = greenlet(echo)
    client.clear(g)
    return g


@state
def cleared_suspended():
    g = started(parrot)
    client.clear(g)
    return g


@state
def cleared_finished():
    g = started(echo)
    client.clear(g)
    return g


@state
def unmade():
    return client.unmade(greenlet)


@state
def other_threads_unstarted():
    return other_thread.do(lambda: greenlet(echo))


@state
def other_threads_suspended():
    return other_thread.do(lambda: started(parrot))


@state
def other_threads_finished():
    return other_thread.do(lambda: started(echo))


@state
def other_threads_current():
    return other_thread.do(getcurrent)


@state
def other_threads_main():
    return other_thread.do(lambda: getcurrent().parent)


@state
def ended_threads_unstarted():
    return in_ended_thread(lambda: greenlet(echo))


@state
def ended_threads_suspended():
    return in_ended_thread(lambda: started(parrot))


@state
def ended_threads_finished():
    return in_ended_thread(lambda: started(echo))


@state
def ended_threads_main():
    return in_ended_thread(lambda: getcurrent().parent)


@state
def null():
    return None


@state
def number():
    return 5


@state
def a_class():
    return greenlet


# --- the calls -------------------------------------------------------------------------------------------------------

CALLS.update(
    new_run=lambda g: (client.new, (g, None)),
    new_parent=lambda g: (client.new, (echo, g)),
    get_current=lambda g: (client.get_current, ()),
    switch=lambda g: (client.switch, (g, None, None)),
    switch_1=lambda g: (client.switch, (g, (1,), None)),
    switch_many=lambda g: (client.switch, (g, (1, 2), {"a": 3})),
    switch_list=lambda g: (client.switch, (g, [1], None)),
    switch_no_dict=lambda g: (client.switch, (g, (1,), 5)),
    throw=lambda g: (client.throw, (g, IndexError, "x", None)),
    throw_exit=lambda g: (client.throw, (g, GreenletExit, None, None)),
    throw_null=lambda g: (client.throw, (g, None, None, None)),
    throw_number=lambda g: (client.throw, (g, 5, None, None)),
    set_parent=lambda g: (client.set_parent, (g, getcurrent())),
    set_parent_null=lambda g: (client.set_parent, (g, None)),
    set_parent_number=lambda g: (client.set_parent, (g, 5)),
    set_as_parent=lambda g: (client.set_parent, (greenlet(echo), g)),
    get_parent=lambda g: (client.get_parent, (g,)),
    is_main=lambda g: (client.is_main, (g,)),
    is_started=lambda g: (client.is_started, (g,)),
    is_active=lambda g: (client.is_active, (g,)),
    check=lambda g: (client.check, (g,)),
)


def show(value, g, caller):
    if value is main:
        return "main"
    if value is caller:
        return "caller"
    if value is g and isinstance(g, greenlet):
        return "it"
    if isinstance(value, BaseException):
        return type(value).__name__
    if isinstance(value, greenlet):
        return f"new<{show(value.parent, g, caller)}"
    if isinstance(value, tuple):
        return "(" + ",".join(show(v, g, caller) for v in value) + ")"
    return repr(value).replace(" ", "")


# --- one case --------------------------------------------------------------------------------------------------------


def call_without_memory(function, arguments, allocations):
    """Let only the given number of allocations succeed."""
    _testcapi.set_nomemory(allocations, 0)
    try:
        return function(*arguments)
    finally:
        restore_memory()


def attempt(function, arguments, g, moment, allocations):
    """Return the outcome of a call as text."""
    caller = getcurrent()
    try:
        if moment is with_an_exception_set:
            pending = ZeroDivisionError()
            value, after = client.while_pending(function, pending, arguments)
            text = show(value, g, caller)
            return text if after is pending else f"{text}+{show(after, g, caller)}<{show(after.__cause__, g, caller)}"
        if moment is without_memory:
            value = call_without_memory(function, arguments, allocations)
        else:
            value = function(*arguments)
    except BaseException as error:
        return type(error).__name__
    return show(value, g, caller)


def case(moment, make, what, allocations=0):
    """Return the outcome of a call, preceded by what the main greenlet received if the call switched to it."""
    outcome = []

    def run():
        def perform():
            if not outcome:
                outcome.append("left")
                g = make()
                outcome[0] = attempt(*CALLS[what](g), g, moment, allocations)

        moment(perform)

    caller = greenlet(run)
    try:
        value = caller.switch()
        restore_memory()
        left = show(value, None, caller)
    except BaseException as error:
        restore_memory()
        left = type(error).__name__
    prefix = f"main:{left}>" if caller else ""
    while caller:
        with contextlib.suppress(BaseException):
            caller.switch("resumed")
    sys.settrace(None)
    sys.setprofile(None)
    package.settrace(None)
    assert getcurrent() is main
    return prefix + outcome[0]


def check_health():
    g = greenlet(parrot)
    assert [g.switch(i) for i in range(3)] == [(0,), 1, 2]
    g.throw()
    assert g.dead


def outcomes(moment, make, what):
    if moment is not without_memory:
        return case(moment, make, what)
    return "|".join(sorted({case(moment, make, what, allocations) for allocations in range(MOST_ALLOCATIONS)}))


def run_all():
    faulthandler.enable()
    sys.unraisablehook = lambda _: None
    gc.disable()
    wanted = [set(sys.argv[i : i + 1]) for i in (2, 3, 4)]
    for names in itertools.product(MOMENTS, STATES, CALLS):
        moment, state, what = names
        if any(some and name not in some for name, some in zip(names, wanted)):
            continue
        if moment == "without_memory" and _testcapi is None:
            continue
        print(*names, end=" ", flush=True)
        print(outcomes(MOMENTS[moment], STATES[state], what), flush=True)
        check_health()
    other_thread.end()


if __name__ == "__main__":
    run_all()
