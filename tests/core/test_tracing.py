"""settrace() and gettrace(): a callback at each switch."""

import gc
import sys
import weakref

import pytest
from support.greenlets import suspended
from support.threads import in_thread

import greenlet as package
from greenlet import GreenletExit, getcurrent, gettrace, greenlet, settrace


class Tracer:
    def __init__(self):
        self.events = []

    def __call__(self, event, args):
        self.events.append((event, args))

    def __enter__(self):
        gc.collect()  # kills the greenlets that earlier tests left in cycles; that would be traced
        self.previous = settrace(self)
        return self

    def __exit__(self, *_):
        settrace(self.previous)


def test_nothing_is_traced_at_first():
    assert gettrace() is None


def test_settrace_returns_the_previous_callback():
    first, second = Tracer(), Tracer()
    assert settrace(first) is None
    assert gettrace() is first
    assert settrace(second) is first
    assert settrace(None) is second
    assert gettrace() is None


def test_the_functions_are_attributes_of_the_class_too():
    assert greenlet.settrace is settrace and greenlet.gettrace is gettrace


@pytest.mark.parametrize("arguments", [(), (None, None)])
def test_settrace_takes_one_argument(arguments):
    with pytest.raises(TypeError):
        settrace(*arguments)
    with pytest.raises(TypeError):
        gettrace(None)


def test_start_and_end_are_switches():
    main = getcurrent()
    g = greenlet(lambda: None)
    with Tracer() as tracer:
        g.switch()
    assert tracer.events == [("switch", (main, g)), ("switch", (g, main))]


def test_suspending_and_resuming_are_switches():
    main = getcurrent()
    g = suspended()
    with Tracer() as tracer:
        g.switch()
        assert g.dead
    assert tracer.events == [("switch", (main, g)), ("switch", (g, main))]


def test_throw_is_told_apart():
    main = getcurrent()
    g = suspended()
    with Tracer() as tracer:
        with pytest.raises(LookupError):
            g.throw(LookupError)
    assert tracer.events == [("throw", (main, g)), ("throw", (g, main))]


def test_a_caught_throw_ends_with_a_switch():
    main = getcurrent()
    g = suspended()
    with Tracer() as tracer:
        assert isinstance(g.throw(), GreenletExit)
    assert tracer.events == [("throw", (main, g)), ("switch", (g, main))]


def test_throw_into_an_unstarted_greenlet():
    main = getcurrent()
    g = greenlet(len)
    with Tracer() as tracer:
        with pytest.raises(LookupError):
            g.throw(LookupError)
    assert tracer.events[-1] == ("throw", (g, main))


def test_a_kill_is_a_throw():
    main = getcurrent()
    g = suspended()
    with Tracer() as tracer:
        del g
    assert [event for event, _ in tracer.events] == ["throw", "switch"]
    assert tracer.events[0][1][0] is main and tracer.events[1][1][1] is main


def test_a_switch_to_the_current_greenlet_is_traced():
    main = getcurrent()
    with Tracer() as tracer:
        assert main.switch("value") == "value"
    assert tracer.events == [("switch", (main, main))]


def test_a_switch_to_a_dead_greenlet_is_traced_as_one_to_its_parent():
    main = getcurrent()
    dead = greenlet(lambda: None)
    dead.switch()
    with Tracer() as tracer:
        dead.switch()
    assert tracer.events == [("switch", (main, main))]


def test_the_callback_runs_in_the_target():
    running = []
    g = suspended()
    settrace(lambda event, args: running.append((getcurrent(), args[1])))
    g.switch()
    settrace(None)
    assert len(running) == 2 and all(current is target for current, target in running)


def test_the_values_passed_are_not_changed():
    with Tracer():
        g = greenlet(lambda *a, **k: (a, k, getcurrent().parent.switch(1, x=2)))
        assert g.switch(3, y=4) == ((1,), {"x": 2})
        assert g.switch("end") == ((3,), {"y": 4}, "end")


def test_the_result_of_the_callback_is_ignored():
    settrace(lambda event, args: "result")
    assert greenlet(lambda: 1).switch() == 1
    settrace(None)


def test_an_exception_in_the_callback_is_raised_in_the_target_and_ends_tracing():
    class Refused(Exception):
        pass

    def callback(event, args):
        raise Refused

    g = suspended()
    settrace(callback)
    with pytest.raises(Refused):
        g.switch()
    assert gettrace() is None
    assert g.dead


def test_an_exception_in_the_callback_can_be_caught_by_the_target():
    class Refused(Exception):
        pass

    def run():
        try:
            getcurrent().parent.switch()
        except Refused:
            return "caught"

    def callback(event, args):
        raise Refused

    g = suspended(run)
    settrace(callback)
    assert g.switch("lost") == "caught"
    assert gettrace() is None


def test_an_exception_in_the_callback_at_a_start_means_run_is_not_called():
    def callback(event, args):
        raise LookupError

    calls = []
    g = greenlet(calls.append)
    settrace(callback)
    with pytest.raises(LookupError):
        g.switch(1)
    assert calls == [] and g.dead and gettrace() is None


def test_an_exception_in_the_callback_replaces_the_one_thrown():
    def callback(event, args):
        raise LookupError(event)

    g = suspended()
    settrace(callback)
    with pytest.raises(LookupError, match="throw"):
        g.throw(KeyError)
    assert gettrace() is None


def test_a_callback_that_is_not_callable_fails_at_the_switch():
    g = suspended()
    settrace("no function")
    with pytest.raises(TypeError):
        g.switch()
    assert gettrace() is None


def test_the_callback_may_switch():
    events = []

    def run():
        while True:
            getcurrent().parent.switch()
            events.append("helped")

    helper = suspended(run)

    def callback(event, args):
        settrace(None)
        helper.parent = getcurrent()
        helper.switch()
        settrace(callback)

    g = suspended()
    settrace(callback)
    g.switch()
    settrace(None)
    helper.parent = getcurrent()
    assert events == ["helped", "helped"] and g.dead


def test_the_callback_may_switch_while_it_is_set():
    depth = [0]
    events = []

    def callback(event, args):
        events.append(depth[0])
        if depth[0] == 0:
            depth[0] += 1
            greenlet(lambda: None).switch()
            depth[0] -= 1

    settrace(callback)
    greenlet(lambda: None).switch()
    settrace(None)
    assert events == [0, 1, 1, 0, 1, 1]


def test_the_callback_may_replace_itself():
    events = []

    def first(event, args):
        events.append("first")
        settrace(second)

    def second(event, args):
        events.append("second")
        settrace(None)

    settrace(first)
    greenlet(lambda: None).switch()
    assert events == ["first", "second"] and gettrace() is None


def test_the_callback_is_not_traced_by_sys_settrace():
    called = []

    def python_tracer(frame, event, arg):
        called.append(frame.f_code.co_name)

    def callback(event, args):
        return len(args)

    before = sys.gettrace()
    settrace(callback)
    sys.settrace(python_tracer)
    greenlet(lambda: None).switch()
    sys.settrace(before)
    settrace(None)
    assert "callback" not in called and "<lambda>" in called


def test_tracing_belongs_to_a_thread():
    with Tracer() as tracer:

        def run():
            assert gettrace() is None
            greenlet(lambda: None).switch()

        in_thread(run)
    assert tracer.events == []


def test_a_callback_left_in_a_thread_is_released_with_it():
    alive = []

    def run():
        tracer = Tracer()
        alive.append(weakref.ref(tracer))
        settrace(tracer)

    in_thread(run)
    assert alive[0]() is None


def test_the_origin_is_the_greenlet_that_finished():
    main = getcurrent()
    inner = greenlet(lambda: None)

    def run():
        inner.parent = main
        inner.switch()

    outer = greenlet(run)
    with Tracer() as tracer:
        outer.switch()
    assert tracer.events == [("switch", (main, outer)), ("switch", (outer, inner)), ("switch", (inner, main))]
    outer.switch()


def test_nesting_three_deep_is_traced_in_order():
    main = getcurrent()
    c = greenlet(lambda: "c")
    b = greenlet(lambda: (setattr(c, "parent", getcurrent()), c.switch())[1])
    a = greenlet(lambda: (setattr(b, "parent", getcurrent()), b.switch())[1])
    with Tracer() as tracer:
        assert a.switch() == "c"
    assert [args for _, args in tracer.events] == [(main, a), (a, b), (b, c), (c, b), (b, a), (a, main)]


def test_the_module_function_reports_the_class_callback():
    tracer = Tracer()
    greenlet.settrace(tracer)
    assert package.gettrace() is tracer
    package.settrace(None)


def test_a_tracer_that_fails_is_gone_before_the_exception_it_replaces():
    class Witness:
        def __del__(self):
            seen.append(gettrace())

    def raises():
        witness = Witness()  # noqa: F841 - kept alive by the traceback
        raise KeyError

    def fails(event, greenlets):
        raise ValueError

    seen = []
    settrace(lambda event, greenlets: settrace(fails) if event == "switch" else None)
    with pytest.raises(ValueError):
        greenlet(raises).switch()
    assert seen == [None]
