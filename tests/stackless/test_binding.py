"""greenlet.stackless: tasklets are made and bound."""

import sys

import pytest
from support.scheduler import WITH_A_SCHEDULER
from support.tasklets import paused

from greenlet.stackless import getcurrent, getmain, run, schedule, tasklet

pytestmark = WITH_A_SCHEDULER


def test_calling_a_tasklet_gives_it_arguments_and_schedules_it():
    seen = []
    t = tasklet(lambda *args, **kwargs: seen.append((args, kwargs)))(1, 2, name="test")
    assert t.alive and t.scheduled and not t.paused and not t.blocked
    assert seen == []
    assert run() is None
    assert seen == [((1, 2), {"name": "test"})]
    assert not t.alive and not t.scheduled


def test_bind_and_setup_are_the_same_in_two_steps():
    seen = []
    t = tasklet()
    assert not t.alive
    assert t.bind(seen.append) is t
    assert not t.alive
    assert t.setup(7) is t
    run()
    assert seen == [7]


def test_bind_with_arguments_leaves_it_paused():
    seen = []
    t = tasklet().bind(lambda *a, **k: seen.append((a, k)), (1,), {"x": 2})
    assert t.alive and t.paused and not t.scheduled
    run()
    assert seen == []
    assert t.insert() is t
    run()
    assert seen == [((1,), {"x": 2})]


def test_the_constructor_binds():
    seen = []
    tasklet(seen.append, (3,)).insert()
    tasklet(func=seen.append, args=(4,), kwargs=None).insert()
    run()
    assert seen == [3, 4]


def test_bind_with_arguments_only_keeps_the_function():
    seen = []
    t = tasklet(seen.append)
    t.bind(None, (5,))
    t.insert()
    run()
    assert seen == [5]


def test_keyword_arguments_alone_are_enough():
    seen = []
    tasklet(lambda **k: seen.append(k)).bind(kwargs={"a": 1}).insert()
    run()
    assert seen == [{"a": 1}]


def test_bind_none_unbinds():
    t = tasklet(print, (1,))
    assert t.alive
    t.bind(None)
    assert not t.alive
    with pytest.raises(RuntimeError, match="not bound"):
        t.bind(None, ())


def test_bind_refuses_what_is_not_callable():
    with pytest.raises(TypeError, match="callable"):
        tasklet(3)
    with pytest.raises(TypeError, match="args"):
        tasklet(print, 3)
    with pytest.raises(TypeError, match="kwargs"):
        tasklet(print, (), 3)


def test_a_scheduled_tasklet_can_not_be_bound():
    t = tasklet(print)()
    with pytest.raises(RuntimeError, match="scheduled"):
        t.bind(print)
    t.kill()


def test_a_tasklet_that_has_begun_can_not_be_bound():
    t = paused()
    with pytest.raises(RuntimeError, match="C state"):
        t.bind(None)
    t.kill()
    t.bind(print)


def test_the_main_tasklet_can_not_be_bound():
    with pytest.raises(RuntimeError, match="current"):
        getmain().bind(None)
    errors = []

    def function():
        with pytest.raises(RuntimeError, match="main"):
            getmain().bind(None)
        errors.append("main")

    tasklet(function)()
    run()
    assert errors == ["main"]


def test_setup_of_one_that_is_alive_is_refused():
    t = tasklet(print, (1,))
    with pytest.raises(RuntimeError, match="tasklet is alive"):
        t.setup(2)
    t.kill()


def test_an_ended_tasklet_can_be_bound_again():
    seen = []
    t = tasklet(seen.append)(1)
    run()
    t.bind(seen.append)(2)
    run()
    assert seen == [1, 2]


def test_arguments_are_released_when_it_ends():
    class Object:
        pass

    thing = Object()
    before = sys.getrefcount(thing)
    t = tasklet(lambda x, y: schedule())(thing, y=thing)
    run()
    assert sys.getrefcount(thing) == before
    assert not t.alive


def test_a_subclass_works():
    class Named(tasklet):
        __slots__ = ("name",)

        def __new__(cls, function, name):
            return tasklet.__new__(cls, function)

        def __init__(self, function, name):
            tasklet.__init__(self, function)
            self.name = name

        def __repr__(self):
            return f"<tasklet {self.name}>"

    seen = []
    t = Named(lambda: seen.append(getcurrent().name), "tick")()
    assert repr(t) == "<tasklet tick>"
    run()
    assert seen == ["tick"]


def test_a_subclass_may_override_the_call():
    class Safe(tasklet):
        def __call__(self, *args, **kwargs):
            function = self.tempval

            def safe():
                try:
                    function(*args, **kwargs)
                except Exception as exception:
                    seen.append(exception)

            self.tempval = safe
            return self.setup()

    seen = []
    Safe(int)("x")
    run()
    assert [type(e) for e in seen] == [ValueError]


def test_weak_references_work():
    import weakref

    t = tasklet()
    reference = weakref.ref(t)
    assert reference() is t
    del t
    assert reference() is None
