"""The places where Python calls back: each makes a greenlet do something that calls attack()."""

import contextvars
import gc
import sys
import weakref

from stress.actions import attack, parrot
from support.registry import Registry

from greenlet import GreenletExit, getcurrent, greenlet, settrace

place = PLACES = Registry()


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
    [1, Compared()] == [Compared(), 1]


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
