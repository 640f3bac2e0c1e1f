"""The tree of greenlets: a finished greenlet resumes its parent, and parents can be set."""

import contextvars
import sys
import weakref

import pytest
from support.greenlets import Subclass, suspended
from support.threads import in_thread

from greenlet import GreenletExit, error, getcurrent, greenlet


def test_the_result_goes_to_the_parent_not_to_the_last_caller():
    main = getcurrent()
    child = greenlet(lambda: "result")

    def run():
        child.parent = main
        child.switch()
        return "not reached before it is resumed"

    caller = greenlet(run)
    assert caller.switch() == "result"
    assert child.dead and not caller.dead
    assert caller.switch() == "not reached before it is resumed"


def test_an_exception_goes_to_the_parent():
    def run():
        raise LookupError("from the child")

    with pytest.raises(LookupError, match="from the child"):
        greenlet(run).switch()


def test_an_exception_passes_all_parents_that_do_not_catch_it():
    def nested(depth):
        if depth == 0:
            raise LookupError(depth)
        greenlet(nested).switch(depth - 1)

    g = greenlet(nested)
    with pytest.raises(LookupError):
        g.switch(20)
    assert g.dead


def test_a_parent_may_catch_the_exception_of_its_child():
    def raising():
        raise LookupError

    def catching():
        try:
            greenlet(raising).switch()
        except LookupError:
            return "caught"

    assert greenlet(catching).switch() == "caught"


def test_the_traceback_has_the_frames_of_child_and_parent():
    def raising():
        raise LookupError

    def middle():
        greenlet(raising).switch()

    with pytest.raises(LookupError) as caught:
        greenlet(middle).switch()
    assert [entry.name for entry in caught.traceback][1:] == ["middle", "raising"]


def test_greenlet_exit_is_returned_to_the_parent():
    def run():
        raise GreenletExit("enough", 1)

    result = greenlet(run).switch()
    assert isinstance(result, GreenletExit) and result.args == ("enough", 1)


def test_a_subclass_of_greenlet_exit_is_returned_too():
    class Done(GreenletExit):
        pass

    def run():
        raise Done

    assert type(greenlet(run).switch()) is Done


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, BaseException])
def test_other_base_exceptions_are_raised_in_the_parent(kind):
    def run():
        raise kind("anyway")

    with pytest.raises(kind):
        greenlet(run).switch()


def test_a_dead_parent_is_skipped():
    main = getcurrent()
    middle = greenlet(lambda: None)
    child = greenlet(lambda: "result", middle)
    middle.switch()
    assert middle.dead and middle.parent is main
    assert child.switch() == "result"


def test_a_chain_of_dead_parents_is_skipped():
    parents = [greenlet(lambda: None)]
    for _ in range(100):
        parents.append(greenlet(lambda: None, parents[-1]))
    child = greenlet(lambda: "result", parents[-1])
    for parent in parents:
        parent.switch()
    assert child.switch() == "result"


def test_an_unstarted_parent_is_started_with_the_result():
    main = getcurrent()
    parent = greenlet(lambda *args: ("parent", args))
    assert greenlet(lambda: "result", parent).switch() == ("parent", ("result",))
    assert parent.dead and getcurrent() is main


def test_an_unstarted_parent_is_ended_by_an_exception():
    def run():
        raise LookupError("for the parent")

    parent = greenlet(lambda *args: pytest.fail("ran"))
    with pytest.raises(LookupError, match="for the parent"):
        greenlet(run, parent).switch()
    assert parent.dead


def test_an_unstarted_parent_without_a_run_passes_an_error_on():
    parent = greenlet()
    with pytest.raises(AttributeError):
        greenlet(lambda: "result", parent).switch()


def test_a_suspended_parent_is_resumed_with_the_result():
    main = getcurrent()
    parent = greenlet(lambda: ("resumed", main.switch()))
    parent.switch()
    assert greenlet(lambda: "result", parent).switch() == ("resumed", "result")


def test_the_parent_is_that_of_the_time_it_finishes():
    main = getcurrent()
    other = suspended(lambda: ("other", main.switch()))

    def run():
        getcurrent().parent = other
        return "result"

    assert greenlet(run).switch() == ("other", "result")


def test_switching_to_a_dead_greenlet_goes_to_its_first_living_ancestor():
    main = getcurrent()
    parent = greenlet(lambda: ("parent resumed", main.switch()))
    parent.switch()
    dead = greenlet(lambda: None, parent)
    dead.parent = main
    dead.switch()
    dead.parent = parent
    assert dead.switch("value") == ("parent resumed", "value")
    assert dead.switch("value") == "value"


def test_switching_to_a_dead_greenlet_starts_an_unstarted_parent():
    dead = greenlet(lambda: None)
    dead.switch()
    dead.parent = greenlet(lambda *args, **kwargs: (args, kwargs))
    assert dead.switch(1, 2, name=3) == ((1, 2), {"name": 3})


def test_the_main_greenlet_has_no_parent():
    main = getcurrent()
    assert main.parent is None
    with pytest.raises(AttributeError):
        main.parent = greenlet()
    with pytest.raises(AttributeError):
        main.parent = None


@pytest.mark.parametrize("parent", [None, 1, "parent", object(), greenlet])
def test_only_a_greenlet_can_be_parent(parent):
    g = greenlet()
    before = g.parent
    with pytest.raises(TypeError):
        g.parent = parent
    assert g.parent is before


def test_the_parent_cannot_be_deleted():
    g = greenlet()
    with pytest.raises(AttributeError):
        del g.parent
    assert g.parent is getcurrent()


@pytest.mark.parametrize("length", [1, 2, 50])
def test_a_cycle_of_parents_is_refused(length):
    greenlets = [greenlet()]
    for _ in range(length - 1):
        greenlets.append(greenlet(None, greenlets[-1]))
    with pytest.raises(ValueError, match="cycl"):
        greenlets[0].parent = greenlets[-1]
    assert greenlets[0].parent is getcurrent()


def test_a_cycle_of_started_parents_is_refused():
    main = getcurrent()
    a = suspended()
    b = greenlet(lambda: main.switch(), a)
    b.switch()
    with pytest.raises(ValueError, match="cycl"):
        a.parent = b
    a.switch()


def test_a_started_greenlet_cannot_get_a_parent_of_another_thread():
    other_main = in_thread(getcurrent)
    g = suspended()
    with pytest.raises(ValueError):
        g.parent = other_main
    g.switch()


def test_a_parent_of_a_living_other_thread_is_refused_too():
    main = getcurrent()

    def run():
        g = greenlet(lambda: getcurrent().parent.switch())
        g.switch()
        with pytest.raises(ValueError, match="thread"):
            g.parent = main
        g.switch()

    in_thread(run)


def test_an_unstarted_greenlet_moves_to_the_thread_of_its_new_parent():
    main = getcurrent()
    g = greenlet(lambda: "ran")

    def run():
        with pytest.raises(error):
            g.switch()
        g.parent = getcurrent()
        result = g.switch()
        return result

    assert in_thread(run) == "ran"
    assert getcurrent() is main


def test_a_parent_is_kept_alive_by_its_children():

    parent = greenlet()
    alive = weakref.ref(parent)
    child = greenlet(None, parent)
    del parent
    assert alive() is child.parent
    del child
    assert alive() is None


def test_siblings_finish_one_after_the_other_in_their_parent():
    def parent():
        return [greenlet(lambda v: v).switch(i) for i in range(5)]

    assert greenlet(parent).switch() == [0, 1, 2, 3, 4]


def test_references_are_balanced_over_life_and_death():

    main = getcurrent()
    value = object()
    before = sys.getrefcount(main), sys.getrefcount(value)
    for _ in range(1000):
        greenlet(lambda v: v).switch(value)
    assert (sys.getrefcount(main), sys.getrefcount(value)) == before


def test_a_greenlet_exit_starts_the_parent_without_arguments():
    def exits():
        raise GreenletExit

    for end in (lambda g: g.switch(), lambda g: g.throw(), lambda g: g.throw(GreenletExit("x"))):
        got = []
        parent = greenlet(lambda *arguments: got.append(arguments))
        end(greenlet(exits, parent))
        assert got == [()]


def test_a_greenlet_exit_for_a_finished_greenlet_starts_the_parent_without_arguments():
    got = []
    finished = greenlet(lambda: None)
    finished.switch()
    finished.parent = greenlet(lambda *arguments: got.append(arguments))
    finished.throw()
    assert got == [()]


def test_a_parent_that_becomes_a_child_during_a_kill_makes_no_cycle():
    # While a greenlet is killed, its parent is the greenlet that released it, so its old parent may become its child.
    parent = greenlet(lambda value=None: value)
    survivors = []

    def run():
        try:
            getcurrent().parent.switch()
        finally:
            survivors.append(getcurrent())
            parent.parent = getcurrent()

    g = greenlet(run)
    g.switch()
    g.parent = parent
    del g
    assert survivors[0].dead and parent.parent is survivors[0]
    assert survivors[0].parent is getcurrent()
    assert survivors[0].switch(1) == 1 and parent.switch(2) == 2
    with pytest.raises(ValueError):
        survivors[0].parent = parent


def test_a_chain_of_parents_is_released_in_order():
    # CPython delays deallocations that are nested too deeply, also of contexts. A chain of greenlets must not nest
    # them.
    class Witness:
        def __init__(self, number):
            self.number = number

        def __del__(self):
            gone.append(self.number)

    def run(number):
        variable.set(Witness(number))

    gone = []
    variable = contextvars.ContextVar("variable")
    g = None
    for number in range(200):
        g = greenlet(run, g)
        g.switch(number)
    assert gone == []
    del g
    assert gone == list(reversed(range(200)))


@pytest.mark.parametrize("cls", [greenlet, Subclass])
def test_a_chain_of_suspended_parents_is_killed_in_order(cls):
    def run(number):
        try:
            main.switch()
        finally:
            killed.append(number)

    killed = []
    main = getcurrent()
    g = main
    for number in range(1000):
        g = cls(run, g)
        g.switch(number)
    del g
    assert killed == list(reversed(range(1000)))


def test_a_greenlet_is_active_until_it_has_passed_on_its_result():
    # The parent is unstarted, and looking up its `run` switches away, and back to the finishing greenlet.
    class Parent(greenlet):
        @property
        def run(self):
            seen.append((getcurrent() is g, g.dead, g.switch("itself")))
            seen.append(other.switch())
            return lambda value: ("parent", value)

    seen = []
    main = getcurrent()
    g = greenlet(lambda: "result", Parent())
    other = greenlet(lambda: g.switch("other"), main)
    assert g.switch() == ("parent", "result")
    assert seen == [(True, False, "itself"), "other"]
    assert g.dead
