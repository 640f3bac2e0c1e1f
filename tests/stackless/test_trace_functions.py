"""greenlet.stackless: trace and profile functions of tasklets."""

import sys

import pytest
from support.environment import IS_DEBUG_BUILD
from support.scheduler import WITH_A_SCHEDULER
from support.tasklets import paused
from support.threads import in_thread

import greenlet.stackless as stackless
from greenlet.stackless import getcurrent, getmain, run, schedule, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER

changes_events_while_suspended = pytest.mark.skipif(
    IS_DEBUG_BUILD and sys.version_info >= (3, 12),
    reason="the interpreter asserts that no frame it can't find is suspended when events change",
)


class Hook:
    """Access to the trace or profile functions of threads and tasklets."""

    def __init__(self, name):
        self.of_thread = getattr(sys, f"get{name}")
        self.set_of_thread = getattr(sys, f"set{name}")
        self.attribute = f"{name}_function"

    def of(self, t):
        return getattr(t, self.attribute)

    def set(self, t, function):
        setattr(t, self.attribute, function)

    def share(self, t):
        delattr(t, self.attribute)


@pytest.fixture(params=["trace", "profile"])
def hook(request):
    hook = Hook(request.param)
    before = hook.of_thread()
    yield hook
    hook.share(getmain())
    hook.set_of_thread(before)


def noting(calls):
    """A trace or profile function that records the names of the called Python functions."""

    def function(frame, event, arg):
        if event == "call":
            calls.append(frame.f_code.co_name)

    return function


@changes_events_while_suspended
def test_tasklets_share_the_trace_function_of_the_thread(hook):
    calls = []
    function = noting(calls)

    def in_tasklet():
        assert hook.of_thread() is function
        assert hook.of(getcurrent()) is function
        schedule()

    t = tasklet(in_tasklet)()
    hook.set_of_thread(function)
    assert hook.of(t) is function and hook.of(getmain()) is function
    run()
    hook.set_of_thread(None)
    assert "in_tasklet" in calls


@changes_events_while_suspended
def test_a_tasklet_may_have_a_trace_function_of_its_own(hook):
    calls = []
    function = noting(calls)
    before = hook.of_thread()

    def called():
        pass

    def in_tasklet():
        called()
        assert hook.of_thread() is function is hook.of(getcurrent())
        schedule()
        called()

    def other():
        assert hook.of_thread() is before
        schedule()
        assert hook.of_thread() is before

    t = tasklet(in_tasklet)()
    tasklet(other)()
    assert hook.of(t) is before
    hook.set(t, function)
    assert hook.of(t) is function
    assert hook.of_thread() is before
    run()
    assert calls.count("called") == 2 and "other" not in calls
    assert hook.of_thread() is before
    assert hook.of(t) is None or hook.of(t) is before  # it has ended


@changes_events_while_suspended
def test_a_trace_function_may_be_set_while_the_tasklet_is_suspended_and_taken_back(hook):
    seen = []
    before = hook.of_thread()

    def function(*args):
        pass

    def in_tasklet():
        for _ in range(3):
            seen.append(hook.of_thread())
            schedule_remove()

    t = paused(in_tasklet)
    hook.set(t, function)
    t.run()
    hook.share(t)
    assert hook.of(t) is before
    t.run()
    assert seen == [before, function, before]
    t.run()


@changes_events_while_suspended
def test_sys_settrace_in_a_tasklet_with_its_own_sets_its_own(hook):
    before = hook.of_thread()

    def function(*args):
        pass

    def in_tasklet():
        hook.set(getcurrent(), None)
        hook.set_of_thread(function)
        schedule_remove()
        assert hook.of_thread() is function

    t = tasklet(in_tasklet)()
    run()
    assert hook.of_thread() is before
    assert hook.of(t) is function
    t.run()
    assert hook.of_thread() is before


@changes_events_while_suspended
def test_the_current_tasklet_may_be_given_a_trace_function(hook):
    before = hook.of_thread()

    def function(*args):
        pass

    seen = []
    tasklet(lambda: seen.append(hook.of_thread()))()
    hook.set(getcurrent(), function)
    assert hook.of_thread() is function
    run()
    assert hook.of_thread() is function
    hook.share(getcurrent())
    assert hook.of_thread() is before
    assert seen == [before]


def test_a_trace_function_is_refused_if_it_could_not_be_used(hook):
    with pytest.raises(RuntimeError, match="not alive"):
        hook.set(tasklet(print), print)
    assert hook.of(tasklet()) is hook.of_thread()
    with pytest.raises(TypeError):
        hook.set(getcurrent(), 1)
    t = tasklet(print, ())
    with pytest.raises(RuntimeError, match="another thread"):
        in_thread(lambda: hook.set(t, print))
    assert in_thread(lambda: hook.of(t)) is None


@changes_events_while_suspended
def test_the_schedule_callback_may_set_the_trace_function_of_the_next_tasklet(hook):
    calls = []
    function = noting(calls)

    def callback(previous, following):
        before = hook.of_thread()
        hook.set_of_thread(None)
        hook.set(following, None if following.is_main else function)
        hook.set_of_thread(before)

    def first():
        called()

    def second():
        schedule()
        called()

    def called():
        pass

    tasklet(first)()
    tasklet(second)()
    stackless.set_schedule_callback(callback)
    run()
    stackless.set_schedule_callback(None)
    assert set(calls) - {"callback"} == {"called", "first", "second"} and calls.count("called") == 2
    assert hook.of_thread() is None
