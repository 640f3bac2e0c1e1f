"""sys.settrace, sys.setprofile and sys.monitoring, with greenlets."""

import sys

import pytest
from greenlet import getcurrent, greenlet
from support import IS_DEBUG_BUILD, suspended


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


# In a debug build the interpreter asserts that the code of a frame that goes on was adapted to the events last asked for,
# and it can only do that for frames of running greenlets.
changes_events_while_suspended = pytest.mark.skipif(
    IS_DEBUG_BUILD and sys.version_info >= (3, 12),
    reason="the interpreter asserts that no frame it can't find is suspended when events change",
)


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


NAMES = ("traced_one", "traced_two")


def test_a_greenlet_started_under_trace_is_traced(set_trace):
    events = []
    set_trace(recorder(events, NAMES))
    assert greenlet(traced_two).switch() == 2
    set_trace(None)
    assert events == [("call", "traced_two"), ("return", "traced_two")]


@changes_events_while_suspended
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


@changes_events_while_suspended
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


@changes_events_while_suspended
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


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="sys.monitoring came with CPython 3.12")
class TestMonitoring:
    @pytest.fixture
    def events(self):
        """What is recorded while the test runs, of the functions named above."""
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

    @changes_events_while_suspended
    def test_can_begin_while_a_greenlet_is_suspended(self, events):
        # It sees what the greenlet calls from then on; the interpreter looks for the frames that it
        # has to change at once in the running greenlet only.
        def run():
            getcurrent().parent.switch()
            return traced_two()

        sys.monitoring.set_events(4, 0)
        g = suspended(run)
        sys.monitoring.set_events(4, sys.monitoring.events.PY_RETURN)
        assert g.switch() == 2
        assert events == [("return", "traced_two")]
