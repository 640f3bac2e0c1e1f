"""sys.settrace, sys.setprofile and sys.monitoring with greenlets."""

import sys

import pytest
from support.greenlets import suspended
from support.processes import output_of

from greenlet import getcurrent, greenlet


@pytest.fixture
def set_trace():
    before = sys.gettrace()
    yield sys.settrace
    sys.settrace(before)


@pytest.fixture
def set_profile():
    before = sys.getprofile()
    yield sys.setprofile
    sys.setprofile(before)


def recorder(events, names):
    def record(frame, event, arg):
        if frame.f_code.co_name in names and event in ("call", "return"):
            events.append((event, frame.f_code.co_name))
        return record

    return record


def traced_one():
    getcurrent().parent.switch()
    return 1


def traced_two():
    return 2


has_monitoring = pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="sys.monitoring came with CPython 3.12")
NAMES = ("traced_one", "traced_two")


def test_a_greenlet_started_under_trace_is_traced(set_trace):
    events = []
    set_trace(recorder(events, NAMES))
    assert greenlet(traced_two).switch() == 2
    set_trace(None)
    assert events == [("call", "traced_two"), ("return", "traced_two")]


def test_a_trace_function_set_in_a_greenlet_belongs_to_the_thread(set_trace):
    events = []

    def run():
        set_trace(recorder(events, NAMES))
        getcurrent().parent.switch()

    g = suspended(run)
    traced_two()
    set_trace(None)
    g.switch()
    traced_two()
    assert events == [("call", "traced_two"), ("return", "traced_two")]


def test_a_trace_function_taken_away_while_suspended_stays_away(set_trace):
    events = []
    set_trace(recorder(events, NAMES))
    g = greenlet(traced_one)
    g.switch()
    set_trace(None)
    assert events == [("call", "traced_one")]
    assert g.switch() == 1
    traced_two()
    assert ("call", "traced_two") not in events


def test_a_trace_function_that_raises_in_a_child_of_a_traced_frame_is_no_more(set_trace):
    # A debug build asserts that the frame continues with the current events.
    def trace(*arguments):
        raise LookupError

    def run():
        set_trace(trace)
        try:
            greenlet(traced_two).switch()
        finally:
            assert sys.gettrace() is None
            traced_two()

    with pytest.raises(LookupError):
        greenlet(run).switch()


def test_lines_are_traced_across_switches(set_trace):
    lines = []

    def run():
        a = 1
        getcurrent().parent.switch()
        b = 2
        return a + b

    first = run.__code__.co_firstlineno

    def trace(frame, event, arg):
        if frame.f_code is run.__code__:
            if event == "line":
                lines.append(frame.f_lineno - first)
            return trace

    set_trace(trace)
    g = greenlet(run)
    g.switch()
    assert g.switch() == 3
    set_trace(None)
    assert lines == [1, 2, 3, 4]


def test_profiling_sees_calls_in_all_greenlets(set_profile):
    events = []
    set_profile(recorder(events, NAMES))
    g = greenlet(traced_one)
    g.switch()
    traced_two()
    g.switch()
    set_profile(None)
    assert events == [
        ("call", "traced_one"),
        ("call", "traced_two"),
        ("return", "traced_two"),
        ("return", "traced_one"),
    ]


def test_profiling_sees_the_switch_as_a_c_call(set_profile):
    events = []

    def profile(frame, event, arg):
        if event.startswith("c_") and getattr(arg, "__name__", "") == "switch":
            events.append(event)

    set_profile(profile)
    g = greenlet(traced_one)
    g.switch()
    g.switch()
    set_profile(None)
    assert sorted(events) == ["c_call"] * 3 + ["c_return"] * 3


def test_profiling_set_in_a_greenlet_stays_when_it_finishes(set_profile):
    events = []
    greenlet(lambda: set_profile(recorder(events, NAMES))).switch()
    traced_two()
    set_profile(None)
    assert events == [("call", "traced_two"), ("return", "traced_two")]


def test_a_trace_function_may_switch(set_trace):
    main = getcurrent()
    seen = []

    def trace(frame, event, arg):
        if frame.f_code is traced_two.__code__ and event == "call":
            seen.append(main.switch("from the tracer"))

    def run():
        set_trace(trace)
        try:
            return traced_two()
        finally:
            set_trace(None)

    g = greenlet(run)
    assert g.switch() == "from the tracer"
    assert g.switch("back") == 2
    assert seen == ["back"]


def test_a_trace_function_that_raises_in_a_greenlet_ends_it(set_trace):
    def trace(frame, event, arg):
        if frame.f_code is traced_two.__code__:
            raise LookupError

    set_trace(trace)
    g = greenlet(traced_two)
    try:
        with pytest.raises(LookupError):
            g.switch()
    finally:
        set_trace(None)
    assert g.dead


@pytest.mark.parametrize("resume", ["switch", "throw"])
@pytest.mark.parametrize(
    "begin",
    [
        "sys.settrace(lambda *arguments: None)",
        "sys.setprofile(lambda *arguments: None)",
        pytest.param(
            "m = sys.monitoring; m.use_tool_id(2, 'test'); m.set_events(2, m.events.PY_UNWIND); m.register_callback(2, m.events.PY_UNWIND, print)",
            marks=has_monitoring,
        ),
    ],
)
def test_an_exception_may_leave_a_function_that_was_suspended_when_events_began(begin, resume):
    # CPython 3.15 crashes if the code of that function was never adapted to events.
    assert (
        output_of(f"""
        import sys
        from greenlet import getcurrent, greenlet

        def inner():
            getcurrent().parent.switch()
            raise ValueError

        def outer():
            inner()

        g = greenlet(outer)
        g.switch()
        print = lambda *arguments: None
        {begin}
        try:
            g.{resume}({"ValueError" if resume == "throw" else ""})
        except ValueError:
            sys.stdout.write("left")
    """)
        == "left"
    )


@pytest.mark.parametrize(
    "before, meanwhile", [("None", "lambda *arguments: None"), ("lambda *arguments: None", "None")]
)
def test_an_exception_may_leave_such_a_function_when_the_interpreter_ends(before, meanwhile):
    # Frames must be adapted, as debug builds assert. But `sys.monitoring`, which does this, is already gone at this time.
    assert (
        output_of(f"""
        import os
        import sys
        from greenlet import getcurrent, greenlet

        def inner(switch):
            switch()
            raise ValueError

        def outer(inner, switch, write):
            try:
                inner(switch)
            except ValueError:
                write(1, b"left")

        class Late:
            def __init__(self, g):
                self.switch = g.switch

            def __del__(self):
                self.switch()

        sys.settrace({before})
        g = greenlet(outer)
        g.switch(inner, getcurrent().switch, os.write)
        sys.late = Late(g)
        sys.settrace({meanwhile})
        """)
        == "left"
    )


def test_an_exception_may_leave_a_function_that_was_called_while_a_callback_had_switched_away():
    # No events are reported meanwhile, so the code was never adapted to events: CPython 3.15 crashed.
    assert (
        output_of("""
        import sys
        from greenlet import getcurrent, greenlet

        main = getcurrent()

        def inner():
            main.switch()
            raise ValueError

        def outer():
            main.switch()
            main.switch()
            inner()

        def see(frame, event, argument):
            if event == "call" and frame.f_code is called.__code__:
                g.switch()

        def called():
            pass

        g = greenlet(outer)
        g.switch()
        sys.setprofile(see)
        called()        # now the code of all suspended functions is adapted
        called()
        try:
            g.switch()
        except ValueError:
            sys.stdout.write("left")
    """)
        == "left"
    )


def test_an_exception_may_leave_a_function_whose_callback_had_switched_away_when_events_began():
    # The code that waited for the callback was not adapted when the callback returned, so CPython 3.15 crashed.
    assert (
        output_of("""
        import sys
        import greenlet

        def begin_events():
            sys.setprofile(lambda *arguments: None)

        def see(event, switch):
            if switch[1] is main:
                greenlet.settrace(None)
                greenlet.greenlet(begin_events).switch()

        main = greenlet.getcurrent()

        def fail():
            greenlet.settrace(see)
            greenlet.greenlet(lambda: None).switch()
            raise ValueError

        try:
            fail()
        except ValueError:
            sys.stdout.write("left")
    """)
        == "left"
    )


@has_monitoring
class TestMonitoring:
    @pytest.fixture
    def events(self):
        """The list of events of the functions named above, recorded while the test runs."""
        monitoring = sys.monitoring
        tool = 4
        events = []

        def start(code, offset):
            if code.co_name in NAMES:
                events.append(("start", code.co_name))

        def stop(code, offset, value):
            if code.co_name in NAMES:
                events.append(("return", code.co_name))

        def unwind(code, offset, exception):
            if code.co_name in NAMES:
                events.append(("unwind", code.co_name, type(exception)))

        monitoring.use_tool_id(tool, "greenlet tests")
        kinds = monitoring.events
        monitoring.register_callback(tool, kinds.PY_START, start)
        monitoring.register_callback(tool, kinds.PY_RETURN, stop)
        monitoring.register_callback(tool, kinds.PY_UNWIND, unwind)
        monitoring.set_events(tool, kinds.PY_START | kinds.PY_RETURN | kinds.PY_UNWIND)
        yield events
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)

    def test_sees_all_greenlets(self, events):
        g = greenlet(traced_one)
        g.switch()
        traced_two()
        g.switch()
        assert events == [
            ("start", "traced_one"),
            ("start", "traced_two"),
            ("return", "traced_two"),
            ("return", "traced_one"),
        ]

    def test_sees_an_exception_thrown_into_a_greenlet(self, events):
        g = greenlet(traced_one)
        g.switch()
        with pytest.raises(LookupError):
            g.throw(LookupError)
        assert events == [("start", "traced_one"), ("unwind", "traced_one", LookupError)]

    def test_can_begin_while_a_greenlet_is_suspended(self, events):
        # It sees later calls of the greenlet. The interpreter adapts only frames of the running greenlet at once.
        def run():
            getcurrent().parent.switch()
            return traced_two()

        sys.monitoring.set_events(4, 0)
        g = suspended(run)
        sys.monitoring.set_events(4, sys.monitoring.events.PY_RETURN)
        assert g.switch() == 2
        assert events == [("return", "traced_two")]
