"""Attributes of a greenlet, its repr and truth value, and unsupported operations."""

import copy
import functools
import gc
import pickle
import re
import weakref

import pytest
from support.environment import ADDRESS
from support.greenlets import suspended
from support.threads import in_thread

from greenlet import getcurrent, greenlet

STATES = ["unstarted", "suspended", "current", "finished"]


@pytest.fixture(params=STATES)
def in_state(request):
    """A function that calls its argument with a greenlet in a state, and returns the state and the result."""

    def call(function):
        state = request.param
        if state == "current":
            g = greenlet(lambda: function(getcurrent()))
            return state, g.switch()
        if state == "unstarted":
            return state, function(greenlet(len))
        g = suspended()
        if state == "finished":
            g.switch()
        return state, function(g)

    return call


def test_bool_is_whether_it_is_active(in_state):
    state, value = in_state(bool)
    assert value is (state in ("suspended", "current"))


def test_dead_is_whether_it_finished(in_state):
    state, value = in_state(lambda g: g.dead)
    assert value is (state == "finished")


def test_dead_is_true_after_an_exception_and_after_a_kill():
    def run():
        raise LookupError

    g = greenlet(run)
    with pytest.raises(LookupError):
        g.switch()
    assert g.dead and not g
    g = suspended()
    g.throw()
    assert g.dead and not g
    g = greenlet(len)
    g.throw()
    assert g.dead and not g


def test_the_main_greenlet_is_active():
    main = getcurrent()
    assert main and not main.dead
    assert in_thread(lambda: bool(getcurrent()))


@pytest.mark.parametrize("name", ["dead", "gr_frame", "_stack_saved"])
def test_read_only_attributes(name):
    g = greenlet()
    with pytest.raises(AttributeError):
        setattr(g, name, None)
    with pytest.raises(AttributeError):
        delattr(g, name)


def test_stack_saved_is_a_size_while_suspended(in_state):
    state, value = in_state(lambda g: g._stack_saved)
    assert isinstance(value, int)
    assert (value > 0) is (state == "suspended")


def test_stack_saved_grows_with_the_calls_in_progress():
    def nested(depth):
        if depth:
            return max(map(nested, [depth - 1]))
        return getcurrent().parent.switch(0)

    shallow, deep = suspended(nested, 0), suspended(nested, 20)
    assert 0 < shallow._stack_saved < deep._stack_saved
    for g in (shallow, deep):
        g.switch(0)
        assert g._stack_saved == 0


def test_the_main_greenlet_has_stack_saved_while_suspended():
    main = getcurrent()
    assert main._stack_saved == 0
    assert greenlet(lambda: main._stack_saved).switch() > 0


def test_has_a_dict():
    g = greenlet(len)
    assert g.__dict__ == {}
    g.name = "value"
    assert g.__dict__ == {"name": "value"} and vars(g) is g.__dict__
    del g.name
    with pytest.raises(AttributeError):
        g.name


def test_the_dict_can_be_replaced_but_not_deleted():
    g = greenlet(len)
    g.__dict__ = {"name": "value"}
    assert g.name == "value"
    with pytest.raises(TypeError):
        g.__dict__ = 1
    with pytest.raises(TypeError):
        del g.__dict__
    assert g.name == "value"


def test_attributes_survive_switches_and_the_end():
    g = suspended()
    g.name = "value"
    g.switch()
    assert g.dead and g.name == "value"


def test_weak_references():
    g = greenlet()
    calls = []
    reference = weakref.ref(g, calls.append)
    assert reference() is g and weakref.getweakrefcount(g) == 1
    del g
    assert reference() is None and calls == [reference]


def test_can_be_the_key_of_a_weak_dictionary():
    table = weakref.WeakKeyDictionary()
    g = suspended()
    table[g] = "value"
    assert table[g] == "value"
    del g
    gc.collect()
    assert len(table) == 0


def test_is_hashed_and_compared_by_identity():
    a, b = greenlet(), greenlet()
    assert a == a and a != b and len({a, b, a}) == 2
    with pytest.raises(TypeError):
        a < b


@pytest.mark.parametrize("operation", [copy.copy, copy.deepcopy, pickle.dumps])
def test_cannot_be_copied_or_pickled(in_state, operation):
    def attempt(g):
        with pytest.raises(TypeError):
            operation(g)
        return True

    assert in_state(attempt)[1]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_protocol_works(protocol):
    with pytest.raises(TypeError):
        pickle.dumps(greenlet(), protocol)


class TestCaller:
    __test__ = False

    def method(self):
        pass

    def __call__(self):
        pass


def wait():
    getcurrent().parent.switch()


class TestRepr:
    form = rf"<%s object at {ADDRESS} \(otid=%s\) %s>"

    def check(self, g, status, name=r"greenlet\.greenlet", thread=ADDRESS):
        assert re.fullmatch(self.form % (name, thread, status), repr(g))

    def test_of_an_unstarted_one(self):
        self.check(greenlet(len), "pending; runs len")

    def test_of_one_without_a_function(self):
        self.check(greenlet(), "pending")

    def test_of_a_suspended_one(self):
        place = rf"in {wait.__qualname__} at {re.escape(__file__)}:{wait.__code__.co_firstlineno + 1}"
        self.check(suspended(wait), f"suspended active started; runs wait, {place}")

    def test_of_one_that_is_suspended_in_a_function_in_c(self):
        g = greenlet(getcurrent().switch)
        g.switch()
        self.check(g, "suspended active started; runs switch")

    def test_of_the_current_one(self):
        def function():
            self.check(getcurrent(), f"current active started; runs {re.escape(function.__qualname__)}")

        greenlet(function).switch()

    @pytest.mark.parametrize(
        "run, name",
        [
            (TestCaller().method, r"TestCaller\.method"),
            (TestCaller, "TestCaller"),
            (TestCaller(), "TestCaller"),
            ([].append, "append"),
            (functools.partial(len, ""), r"functools\.partial"),
            (int, "int"),
        ],
        ids=str,
    )
    def test_says_what_it_runs(self, run, name):
        self.check(greenlet(run), rf"pending; runs (.*\.)?{name}")

    def test_of_a_finished_one(self):
        g = greenlet(lambda: None)
        g.switch()
        self.check(g, "dead")

    def test_of_the_main_greenlet(self):
        main = getcurrent()
        self.check(main, "current active started main")
        greenlet(lambda: self.check(main, "suspended active started main")).switch()

    def test_of_a_subclass(self):
        class Mine(greenlet):
            pass

        self.check(Mine(), "pending", name="(.*[.])?Mine")

    def test_of_the_main_greenlet_of_an_ended_thread(self):
        self.check(in_thread(getcurrent), r"\(thread exited\) dead")

    def test_of_a_suspended_one_of_an_ended_thread(self):
        self.check(in_thread(suspended), r"\(thread exited\) dead")

    def test_of_the_running_one_of_another_thread(self):
        main = getcurrent()
        in_thread(lambda: self.check(main, "suspended active started main"))


def test_two_threads_have_different_ids_in_repr():
    main = getcurrent()
    identity = re.search(r"otid=(\w+)", repr(main))[1]
    other = in_thread(lambda: re.search(r"otid=(\w+)", repr(getcurrent()))[1])
    assert identity in repr(greenlet()) and identity in repr(suspended())
    assert other != identity
