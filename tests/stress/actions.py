"""The actions of hostile callbacks."""

import contextlib
import contextvars
import gc
import threading

from support.registry import Registry

from greenlet import GreenletExit, getcurrent, greenlet, settrace

action = ACTIONS = Registry()
main = getcurrent()

R: dict = {}  # the greenlets of one case: `worker`, which runs the action, `other`, `child` and `unstarted`

depth = 0


def parrot(value=None):
    while True:
        with contextlib.suppress(GreenletExit if R.get("survives") else ZeroDivisionError):
            value = getcurrent().parent.switch(value)


def attack():
    """Performs the action, at most three levels deep within itself."""
    global depth
    if depth < 3 and R:
        depth += 1
        try:
            R["action"]()
        finally:
            depth -= 1


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
