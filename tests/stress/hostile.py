"""Callbacks that do the worst at the worst time: each action, in each place where Python calls back.

usage: hostile.py [PLACE...]

A place has a greenlet do something that calls back, in a greenlet that is below another one; an action is what the callback
does. Only exceptions may come of it: afterwards the main greenlet runs, others can be started and resumed, and garbage can be
collected. What a place or an action does not survive is an exit code that is not 0.
"""

import contextlib
import contextvars
import faulthandler
import gc
import sys
import threading
import weakref
from pathlib import Path

from greenlet import GreenletExit, getcurrent, greenlet, settrace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.registry import Registry  # noqa: E402

place = PLACES = Registry()
action = ACTIONS = Registry()
main = getcurrent()
R: dict = {}  # the greenlets of one case: `worker`, in which it happens, `other`, `child` and `unstarted`
depth = 0


def parrot(value=None):
    while True:
        with contextlib.suppress(GreenletExit if R.get("survives") else ZeroDivisionError):
            value = getcurrent().parent.switch(value)


def attack():
    """Do the action, but not for ever from within itself."""
    global depth
    if depth < 3 and R:
        depth += 1
        try:
            R["action"]()
        finally:
            depth -= 1


# --- what callbacks do -----------------------------------------------------------------------------------------------


@action
def nothing():
    pass


@action
def switch_to_main():
    main.switch("from a callback")


@action
def switch_to_parent():
    parent = getcurrent().parent
    if parent is not None:
        parent.switch(1)


@action
def switch_to_another():
    R["other"].switch(1)


@action
def switch_to_the_worker():
    R["worker"].switch(1)


@action
def start_another():
    R["unstarted"].switch(1)


@action
def start_and_finish():
    greenlet(lambda: 1).switch()


@action
def throw_into_another():
    R["other"].throw(ValueError("thrown"))


@action
def throw_into_the_worker():
    R["worker"].throw(KeyError("thrown"))


@action
def throw_into_main():
    main.throw(LookupError("thrown"))


@action
def kill_another():
    R["other"].throw()


@action
def kill_the_worker():
    R["worker"].throw()


@action
def drop_all():
    for name in ("worker", "other", "child", "unstarted"):
        R[name] = greenlet(parrot)


@action
def reparent_the_worker():
    R["worker"].parent = R["other"]


@action
def reparent_itself():
    current = getcurrent()
    if current is not main:
        current.parent = R["unstarted"]


@action
def make_a_cycle_of_parents():
    R["other"].parent = R["child"]
    R["child"].parent = R["other"]


@action
def collect():
    gc.collect()


@action
def end_tracing():
    settrace(None)


@action
def begin_tracing():
    settrace(lambda event, greenlets: attack())


@action
def fail():
    raise ZeroDivisionError


@action
def exit_greenlet():
    raise GreenletExit


@action
def survive_for_ever():
    R["survives"] = True
    g = greenlet(parrot)
    g.switch()
    del g


@action
def change_context():
    getcurrent().gr_context = contextvars.copy_context()


@action
def look_around():
    for g in (getcurrent(), *[R[name] for name in ("worker", "other", "child", "unstarted")]):
        repr(g), g.gr_frame, g.dead, bool(g), g.parent


@action
def recurse():
    def down():
        down()

    try:
        down()
    except RecursionError:
        greenlet(parrot).switch()


@action
def in_another_thread():
    def target():
        with contextlib.suppress(BaseException):
            R["worker"].switch()
        with contextlib.suppress(BaseException):
            R["unstarted"].switch()
        g = greenlet(parrot)
        g.switch()
        gc.collect()

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()


# --- where they are called back --------------------------------------------------------------------------------------


class Deleted:
    def __del__(self):
        attack()


class Compared:
    def __eq__(self, other):
        attack()
        return False

    def __lt__(self, other):
        attack()
        return True

    def __hash__(self):
        attack()
        return 1

    def __repr__(self):
        attack()
        return "compared"

    def __bool__(self):
        attack()
        return True

    def __index__(self):
        attack()
        return 1


class Managed:
    def __enter__(self):
        attack()

    def __exit__(self, *_):
        attack()


class Looked(greenlet):
    @property
    def run(self):
        attack()
        return parrot


class DeletedGreenlet(greenlet):
    def __del__(self):
        attack()


class Raised(Exception):
    def __init__(self, *arguments):
        attack()
        super().__init__(*arguments)


def ends():
    try:
        getcurrent().parent.switch()
    finally:
        attack()


def ended_while_ending():
    try:
        ends()
    finally:
        getcurrent().parent.switch()


def endless():
    while True:
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            attack()


@place
def deletion_of_a_variable():
    value = Deleted()
    del value


@place
def deletion_of_an_argument():
    g = greenlet(parrot)
    g.switch(Deleted())
    g.switch(None)


@place
def deletion_of_a_frame():
    def run(value):
        getcurrent().parent.switch()

    g = greenlet(run)
    g.switch(Deleted())
    del g


@place
def deletion_of_run():
    def run(value=Deleted()):
        pass

    g = greenlet(run)
    del run
    g.run = parrot
    del g.run


@place
def deletion_of_the_function_that_was_run():
    class Callable:
        def __call__(self):
            return Deleted()

        def __del__(self):
            attack()

    greenlet(Callable()).switch()


@place
def deletion_of_a_result():
    greenlet(Deleted).switch()


@place
def deletion_of_the_dictionary():
    g = greenlet(parrot)
    g.value = Deleted()
    g.switch()
    del g


@place
def deletion_of_a_context():
    g = greenlet(lambda: contextvars.ContextVar("v").set(Deleted()))
    g.switch()


@place
def deletion_of_a_greenlet():
    g = DeletedGreenlet(parrot)
    g.switch()
    del g


@place
def deletion_in_a_cycle():
    value = Deleted()
    g = greenlet(parrot)
    value.g = g
    g.switch(value)
    del g, value
    gc.collect()


@place
def deletion_of_a_parent():
    g = greenlet(parrot, DeletedGreenlet(parrot))
    del g


@place
def deletion_of_a_tracer():
    value = Deleted()
    settrace(lambda *arguments, value=value: None)
    del value
    settrace(None)


@place
def weak_references():
    g = greenlet(parrot)
    g.switch()
    reference = weakref.ref(g, lambda _: attack())
    del g
    return reference


@place
def garbage_collection():
    def callback(phase, info):
        attack()

    gc.callbacks.append(callback)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(callback)


@place
def switches_that_are_traced():
    settrace(lambda event, greenlets: attack())
    greenlet(lambda: 1).switch()
    g = greenlet(parrot)
    g.switch()
    g.throw()


@place
def calls_that_are_traced():
    sys.settrace(lambda *arguments: attack())
    try:
        greenlet(lambda: 1).switch()
    finally:
        sys.settrace(None)


@place
def calls_that_are_profiled():
    sys.setprofile(lambda *arguments: attack())
    try:
        greenlet(len).switch("abc")
    except BaseException:
        sys.setprofile(None)
        raise
    finally:
        sys.setprofile(None)


@place
def the_search_for_run():
    Looked().switch()


@place
def the_search_for_run_of_a_parent():
    greenlet(lambda: 1, Looked()).switch()


@place
def run_that_can_not_be_called():
    greenlet(Compared()).switch()


@place
def comparison():
    [1, Compared()] == [Compared(), 1]  # noqa: B015


@place
def sorting():
    sorted([Compared(), Compared(), Compared()])


@place
def sorting_in_place():
    values = [3, 1, 2]
    values.sort(key=lambda value: (attack(), values.append(1), value)[2])


@place
def hashing():
    {Compared(): 1, Compared(): 2}


@place
def showing():
    f"{[Compared()]!r}"


@place
def truth_and_indexing():
    [1, 2, 3][Compared() and Compared()]


@place
def context_managers():
    with Managed():
        greenlet(parrot).switch()


@place
def context_managers_of_a_killed_greenlet():
    def run():
        with Managed():
            getcurrent().parent.switch()

    g = greenlet(run)
    g.switch()
    del g


@place
def finally_of_a_killed_greenlet():
    g = greenlet(ends)
    g.switch()
    del g


@place
def finally_of_a_killed_greenlet_that_switches():
    g = greenlet(ended_while_ending)
    g.switch()
    del g


@place
def finally_of_a_thrown_exception():
    g = greenlet(ends)
    g.switch()
    g.throw(ValueError)


@place
def greenlet_exit_that_is_caught_for_ever():
    g = greenlet(endless)
    g.switch()
    g.throw()
    g.throw()
    del g


@place
def making_of_an_exception():
    g = greenlet(parrot)
    g.switch()
    g.throw(Raised, "text")


@place
def generators():
    def generate():
        try:
            yield attack()
        finally:
            attack()

    g = generate()
    next(g)
    g.close()


@place
def unraisable_exceptions():
    def hook(_):
        attack()

    class Fails:
        def __del__(self):
            raise ValueError

    sys.unraisablehook, before = hook, sys.unraisablehook
    try:
        Fails()
    finally:
        sys.unraisablehook = before


@place
def contexts():
    contextvars.copy_context().run(attack)


@place
def map_and_reduce():
    sum(map(lambda _: (attack(), 1)[1], range(3)))


def is_fatal_to_cpython(name, doing):
    # CPython 3.11 ends the process when making an exception runs out of depth, with a generator's throw() too.
    return sys.version_info < (3, 12) and name == "making_of_an_exception" and doing is recurse


# --- one case --------------------------------------------------------------------------------------------------------


def case(happening, doing):
    global depth
    depth = 0

    def run_worker():
        R["child"] = greenlet(parrot)
        R["child"].switch()
        happening()

    R.clear()
    R.update(action=doing, survives=False, other=greenlet(parrot), child=None, unstarted=greenlet(parrot),
             worker=greenlet(run_worker))
    R["other"].switch()
    try:
        for _ in range(3):
            R["worker"].switch()
            R["other"].switch()
    except BaseException:
        pass
    sys.settrace(None)
    sys.setprofile(None)
    settrace(None)
    R.clear()
    for _ in range(2):
        with contextlib.suppress(BaseException):
            gc.collect()
    assert getcurrent() is main
    g = greenlet(parrot)
    assert [g.switch(i) for i in range(3)] == [0, 1, 2]
    g.throw()
    assert g.dead


class Quiet:
    def write(self, text):
        pass

    def flush(self):
        pass


def run_all():
    faulthandler.enable(sys.__stderr__)
    faulthandler.dump_traceback_later(120, exit=True, file=sys.__stderr__)
    sys.unraisablehook = lambda _: None
    sys.stderr = Quiet()  # survivors are reported there
    number = 0
    for name in sys.argv[1:] or PLACES:
        for doing in ACTIONS.values():
            if is_fatal_to_cpython(name, doing):
                continue
            case(PLACES[name], doing)
            number += 1
    sys.stderr = sys.__stderr__
    print(f"hostile: {number} cases")
    sys.stdout.flush()


if __name__ == "__main__":
    run_all()
