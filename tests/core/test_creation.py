"""greenlet.greenlet(run=None, parent=None), and its subclasses."""

import gc
import weakref

import pytest
from support.greenlets import suspended
from support.threads import in_thread

from greenlet import getcurrent, greenlet


def test_takes_no_arguments():
    g = greenlet()
    assert not g and not g.dead
    assert g.parent is getcurrent()


def test_takes_run_by_position_and_by_name():
    assert greenlet(len).run is len
    assert greenlet(run=len).run is len


def test_takes_the_parent_by_position_and_by_name():
    parent = greenlet()
    assert greenlet(len, parent).parent is parent
    assert greenlet(parent=parent, run=len).parent is parent
    assert greenlet(parent=parent).parent is parent


def test_parent_none_is_the_current_greenlet():
    def run():
        return greenlet(len, None).parent

    g = greenlet(run)
    assert g.switch() is g


def test_run_none_is_called_like_any_other_run():
    g = greenlet(None)
    with pytest.raises(TypeError, match="not callable"):
        g.switch()
    assert g.dead


@pytest.mark.parametrize(
    "arguments, keywords",
    [
        ((len, None, None), {}),
        ((len,), {"run": len}),
        ((), {"callable": len}),
        ((len,), {"paren": None}),
        ((len, None), {"parent": None}),
    ],
)
def test_other_arguments_are_a_type_error(arguments, keywords):
    with pytest.raises(TypeError):
        greenlet(*arguments, **keywords)


@pytest.mark.parametrize("parent", [1, "parent", greenlet, object()])
def test_a_parent_that_is_no_greenlet_is_a_type_error(parent):
    with pytest.raises(TypeError):
        greenlet(len, parent)


def test_a_failed_creation_keeps_no_reference():
    class Run:
        def __call__(self):
            pass

    run = Run()
    alive = weakref.ref(run)
    with pytest.raises(TypeError):
        greenlet(run, "no greenlet")
    del run
    assert alive() is None


def test_creation_does_not_call_run():
    calls = []
    greenlet(calls.append)
    assert calls == []


def test_arguments_of_one_creation_do_not_reach_another():
    for _ in range(3):
        g = greenlet(len, suspended())
        del g
        assert greenlet().parent is getcurrent()


def test_calling_init_again_replaces_run_and_parent():
    g = greenlet(len)
    parent = greenlet()
    g.__init__(sorted, parent)
    assert g.run is sorted and g.parent is parent


def test_calling_init_of_a_started_greenlet_with_a_run_fails():
    g = suspended()
    with pytest.raises(AttributeError):
        g.__init__(len)
    g.switch()


def test_new_without_init_makes_a_greenlet_without_a_run():
    g = greenlet.__new__(greenlet)
    assert g.parent is getcurrent()
    with pytest.raises(AttributeError):
        g.switch()


def test_an_unstarted_greenlet_is_freed_with_its_last_reference():
    g = greenlet(len)
    alive = weakref.ref(g)
    del g
    assert alive() is None


def test_an_unstarted_greenlet_can_be_created_for_the_greenlet_of_another_thread():
    main = getcurrent()

    def run():
        g = greenlet(len, main)
        return g, g.parent

    g, parent = in_thread(run)
    assert parent is main
    assert g.switch("four") == 4


class TestSubclass:
    def test_has_run_as_a_method(self):
        class Doubler(greenlet):
            def run(self, number):
                return self, 2 * number

        g = Doubler()
        assert g.switch(4) == (g, 8)

    def test_run_given_to_the_constructor_does_not_hide_a_run_method(self):
        class Named(greenlet):
            def run(self):
                return "method"

        g = Named(lambda: "argument")
        assert g.switch() == "method"

    def test_run_may_be_a_property(self):
        class Computed(greenlet):
            @property
            def run(self):
                return lambda: "computed"

        assert Computed().switch() == "computed"

    def test_run_may_be_found_by_getattr(self):
        class Dynamic(greenlet):
            def __getattr__(self, name):
                if name == "run":
                    return lambda: "found"
                raise AttributeError(name)

        assert Dynamic().switch() == "found"

    def test_may_have_an_init_with_other_arguments(self):
        class Worker(greenlet):
            def __init__(self, name, *, work):
                super().__init__(run=work)
                self.name = name

        g = Worker("w", work=lambda: "done")
        assert g.name == "w" and g.switch() == "done"

    def test_whose_init_does_not_call_ours_works_if_it_has_a_run(self):
        class Silent(greenlet):
            def __init__(self):
                pass

            def run(self):
                return "ran"

        assert Silent().switch() == "ran"

    def test_may_have_a_new_of_its_own(self):
        class Numbered(greenlet):
            def __new__(cls, number, **keywords):
                self = super().__new__(cls)
                self.number = number
                return self

            def __init__(self, number, run):
                super().__init__(run)

        g = Numbered(7, run=lambda: getcurrent().number)
        assert g.switch() == 7

    def test_may_have_slots(self):
        class Slotted(greenlet):
            __slots__ = ("value",)

        g = Slotted(lambda: getcurrent().value)
        g.value = "in a slot"
        assert g.switch() == "in a slot"

    def test_slots_are_seen_by_the_collector(self):
        class Slotted(greenlet):
            __slots__ = ("value",)

        g = Slotted()
        g.value = g
        alive = weakref.ref(g)
        del g
        gc.collect()
        assert alive() is None

    def test_may_derive_from_another_class_too(self):
        class Mixin:
            def double(self):
                return 2 * self.number

        class Both(Mixin, greenlet):
            pass

        g = Both(lambda: getcurrent().double())
        g.number = 21
        assert g.switch() == 42

    def test_may_override_switch_and_call_ours(self):
        class Logged(greenlet):
            log = ()

            def switch(self, *args):
                self.log += args
                return super().switch(*args)

        g = Logged(lambda value: value)
        assert g.switch("seen") == "seen" and g.log == ("seen",)

    def test_may_override_the_attributes(self):
        class Own(greenlet):
            @property
            def parent(self):
                return "not a greenlet"

            @property
            def dead(self):
                return "dead?"

        g = Own(lambda: "result")
        assert g.parent == "not a greenlet"
        assert g.switch() == "result"
        assert g.dead == "dead?"

    def test_del_is_called_once_when_the_last_reference_goes(self):
        calls = []

        class Deleted(greenlet):
            def __del__(self):
                calls.append(self.dead)

        g = Deleted(lambda: None)
        g.switch()
        del g
        assert calls == [True]
        g = Deleted(lambda: None)
        del g
        assert calls == [True, False]

    def test_reassigning_the_class_is_possible_between_alike_subclasses(self):
        class A(greenlet):
            def run(self):
                return "A"

        class B(greenlet):
            def run(self):
                return "B"

        g = A()
        g.__class__ = B
        assert g.switch() == "B"

    def test_the_built_in_class_cannot_be_changed(self):
        with pytest.raises(TypeError):
            greenlet.switch = None
