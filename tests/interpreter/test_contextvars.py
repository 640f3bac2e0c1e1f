"""Context variables: each greenlet has a context of its own."""

import contextvars
import weakref

import pytest
from support.greenlets import suspended
from support.threads import in_thread

from greenlet import getcurrent, greenlet

variable = contextvars.ContextVar("variable", default="default")


@pytest.fixture(autouse=True)
def set_here():
    token = variable.set("main")
    yield
    variable.reset(token)


def test_a_greenlet_starts_with_an_empty_context():
    assert greenlet(variable.get).switch() == "default"
    assert len(greenlet(contextvars.copy_context).switch()) == 0


def test_what_a_greenlet_sets_stays_in_it():
    def run():
        variable.set("greenlet")
        getcurrent().parent.switch()
        return variable.get()

    g = suspended(run)
    assert variable.get() == "main"
    variable.set("main again")
    assert g.switch() == "greenlet"
    assert variable.get() == "main again"


def test_many_greenlets_keep_their_values_apart():
    def run(number):
        variable.set(number)
        seen = []
        for _ in range(5):
            getcurrent().parent.switch()
            seen.append(variable.get())
        return seen

    greenlets = [suspended(run, number) for number in range(20)]
    for _ in range(4):
        for g in greenlets:
            g.switch()
            assert variable.get() == "main"
    assert [g.switch() for g in greenlets] == [[number] * 5 for number in range(20)]


def test_a_cached_value_does_not_outlive_a_switch():
    # ContextVar.get() caches its last result; a switch must invalidate the cache.
    def run():
        while True:
            getcurrent().parent.switch(variable.get())

    g = greenlet(run)
    for value in ("a", "b", "c"):
        variable.set(value)
        assert variable.get() == value
        assert g.switch() == "default"
        assert variable.get() == value


def test_gr_context_is_none_at_first():
    g = greenlet(lambda: getcurrent().gr_context)
    assert g.gr_context is None
    assert g.switch() is None


def test_gr_context_can_be_given_before_the_start():
    context = contextvars.copy_context()
    g = greenlet(lambda: (variable.get(), getcurrent().gr_context))
    g.gr_context = context
    assert g.gr_context is context
    assert g.switch() == ("main", context)


def test_a_given_context_is_not_copied():
    context = contextvars.Context()
    g = greenlet(lambda: variable.set("from the greenlet"))
    g.gr_context = context
    g.switch()
    assert context[variable] == "from the greenlet"
    assert g.gr_context is context


def test_gr_context_can_be_replaced_while_suspended():
    def run():
        variable.set("first")
        getcurrent().parent.switch()
        return variable.get()

    g = suspended(run)
    assert g.gr_context[variable] == "first"
    context = contextvars.Context()
    context.run(variable.set, "second")
    g.gr_context = context
    assert g.switch() == "second"


def test_gr_context_can_be_replaced_by_the_greenlet_itself():
    context = contextvars.Context()
    context.run(variable.set, "second")

    def run():
        before = variable.get()
        getcurrent().gr_context = context
        return before, variable.get()

    assert greenlet(run).switch() == ("default", "second")
    assert variable.get() == "main"


def test_gr_context_can_be_set_back_to_none():
    g = greenlet(lambda: variable.get())
    g.gr_context = contextvars.copy_context()
    g.gr_context = None
    assert g.gr_context is None
    assert g.switch() == "default"


def test_gr_context_of_the_main_greenlet():
    main = getcurrent()
    assert main.gr_context[variable] == "main"
    assert greenlet(lambda: main.gr_context[variable]).switch() == "main"


@pytest.mark.parametrize("value", [1, {}, "context", object()])
def test_gr_context_must_be_a_context(value):
    g = greenlet()
    with pytest.raises(TypeError):
        g.gr_context = value
    assert g.gr_context is None


def test_gr_context_cannot_be_deleted():
    g = greenlet()
    with pytest.raises(AttributeError):
        del g.gr_context


def test_gr_context_of_a_greenlet_running_in_another_thread():
    main = getcurrent()

    def run():
        with pytest.raises(ValueError):
            main.gr_context
        with pytest.raises(ValueError):
            main.gr_context = contextvars.Context()

    in_thread(run)
    assert variable.get() == "main"


def test_context_run_can_be_left_and_entered_again_by_switches():
    context = contextvars.Context()

    def run():
        def inside():
            variable.set("inside")
            getcurrent().parent.switch(variable.get())
            return variable.get()

        return context.run(inside), variable.get()

    g = greenlet(run)
    assert g.switch() == "inside"
    assert variable.get() == "main"
    assert g.switch() == ("inside", "default")


def test_a_context_in_use_by_a_suspended_greenlet_cannot_be_entered():
    context = contextvars.Context()
    g = greenlet(lambda: context.run(getcurrent().parent.switch))
    g.switch()
    with pytest.raises(RuntimeError):
        context.run(len, "")
    g.switch()
    assert context.run(len, "") == 0


def test_nested_context_run_around_a_switch_in_main():
    context = contextvars.Context()

    def inside():
        variable.set("inside")
        seen = greenlet(variable.get).switch()
        return seen, variable.get()

    assert context.run(inside) == ("default", "inside")
    assert variable.get() == "main"


def test_the_context_is_kept_after_the_end():
    g = greenlet(lambda: variable.set("last"))
    g.switch()
    assert g.dead and g.gr_context[variable] == "last"


def test_the_context_is_released_with_the_greenlet():
    class Value:
        pass

    def run():
        value = Value()
        variable.set(value)
        getcurrent().parent.switch(weakref.ref(value))

    g = greenlet(run)
    alive = g.switch()
    assert alive() is not None
    del g
    assert alive() is None


def test_callbacks_of_a_kill_see_the_context_of_the_one_that_is_killed():
    seen = []

    def run():
        variable.set("greenlet")
        try:
            getcurrent().parent.switch()
        finally:
            seen.append(variable.get())

    g = suspended(run)
    del g
    assert seen == ["greenlet"] and variable.get() == "main"


def test_two_greenlets_may_share_a_context():
    context = contextvars.Context()

    def run():
        variable.set(variable.get() + "+")
        getcurrent().parent.switch()
        return variable.get()

    a, b = greenlet(run), greenlet(run)
    a.gr_context = b.gr_context = context
    a.switch()
    b.switch()
    assert (a.switch(), b.switch()) == ("default++", "default++")


def test_the_context_of_a_suspended_greenlet_without_python_frames():
    def other():
        contexts.append(g.gr_context)
        g.gr_context = context
        contexts.append(g.gr_context)

    contexts = []
    context = contextvars.copy_context()
    g = greenlet(greenlet(other).switch)  # a C function
    g.switch()
    assert g.gr_frame is None and contexts == [None, context]
