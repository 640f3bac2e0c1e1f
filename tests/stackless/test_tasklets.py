"""greenlet.stackless: the class tasklet."""

import contextvars
import copy
import gc
import pickle
import sys

import greenlet.stackless as stackless
import pytest
from greenlet.stackless import TaskletExit, channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet
from support.environment import IS_DEBUG_BUILD
from support.processes import output_of
from support.scheduler import WITH_A_SCHEDULER
from support.threads import in_thread

pytestmark = WITH_A_SCHEDULER


def noted(log, *yields):
    """A function that notes its name and yields, as often as there are *yields*."""

    def function(name):
        for _ in yields:
            log.append(name)
            schedule()
        log.append(name)

    return function


def paused(function=schedule_remove, *args):
    """A tasklet that has begun to run and paused itself."""
    t = tasklet(function)(*args)
    run()
    assert t.alive and t.paused
    return t


# --- creation and binding --------------------------------------------------------------------------------------------


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


def test_arguments_are_let_go_when_it_ends():
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


# --- insert, remove, run, switch -------------------------------------------------------------------------------------


def test_tasklets_run_in_the_order_of_insertion():
    log = []
    for name in "abc":
        tasklet(noted(log, 1))(name)
    run()
    assert log == list("abcabc")


def test_insert_twice_schedules_once():
    log = []
    t = tasklet(log.append)(1)
    t.insert()
    run()
    assert log == [1]


def test_insert_refuses_the_dead_and_the_blocked():
    with pytest.raises(RuntimeError, match="unbound"):
        tasklet().insert()
    c = channel()
    t = tasklet(c.receive)()
    run()
    with pytest.raises(RuntimeError, match="blocked"):
        t.insert()
    c.send(None)


def test_remove_pauses():
    log = []
    t = tasklet(log.append)(1)
    assert t.remove() is t
    assert t.paused and not t.scheduled
    run()
    assert log == []
    assert t.remove() is t  # nothing to do
    t.insert()
    run()
    assert log == [1]


def test_the_current_tasklet_can_not_be_removed():
    with pytest.raises(RuntimeError, match="current"):
        getcurrent().remove()


def test_a_blocked_tasklet_can_not_be_removed():
    c = channel()
    t = tasklet(c.receive)()
    run()
    with pytest.raises(RuntimeError, match="blocked"):
        t.remove()
    t.kill()


def test_run_of_a_scheduled_tasklet_runs_those_behind_it_too():
    log = []
    one, two, three = (tasklet(noted(log, 1))(name) for name in "abc")
    two.run()
    assert log == ["b", "c"]
    run()
    assert log == ["b", "c", "a", "b", "c", "a"]


def test_run_of_a_paused_tasklet_comes_back_at_once():
    log = []
    one, two, three = (tasklet(noted(log, 1))(name) for name in "abc")
    two.remove()
    two.run()
    assert log == ["b"]
    assert two.scheduled
    run()


def test_run_of_the_current_tasklet_does_nothing():
    assert getcurrent().run() is None
    assert getcurrent().switch() is None


def test_run_refuses_the_dead_and_the_blocked():
    for method in ("run", "switch"):
        with pytest.raises(RuntimeError, match="unbound"):
            getattr(tasklet(), method)()
        c = channel()
        t = tasklet(c.receive)()
        run()
        with pytest.raises(RuntimeError, match="blocked"):
            getattr(t, method)()
        t.kill()


def test_switch_pauses_the_caller():
    main = getcurrent()
    log = []

    def function():
        log.append((main.paused, main.scheduled))
        main.switch()
        log.append("again")

    t = tasklet(function)()
    t.switch()
    assert log == [(True, False)]
    assert t.paused
    t.run()
    assert log[1:] == ["again"]


def test_switch_to_a_paused_tasklet():
    main = getcurrent()
    t = tasklet(lambda: main.switch(), ())
    t.switch()
    assert t.paused and main.scheduled
    t.insert()
    run()
    assert not t.alive


# --- exceptions ------------------------------------------------------------------------------------------------------


def catches(log):
    def function():
        try:
            schedule_remove()
        except BaseException as exception:
            log.append(exception)

    return function


def test_throw_raises_at_once():
    log = []
    t = paused(catches(log))
    error = ValueError("x")
    t.throw(error)
    assert log == [error]
    assert not t.alive


def test_throw_makes_the_exception_as_raise_does():
    for arguments, expected in (
        ((ValueError,), ()),
        ((ValueError, "x"), ("x",)),
        ((ValueError, ("x", 1)), ("x", 1)),
        ((ValueError, ValueError("y")), ("y",)),
    ):
        log = []
        paused(catches(log)).throw(*arguments)
        assert [(type(e), e.args) for e in log] == [(ValueError, expected)]


def test_throw_keeps_the_traceback_it_is_given():
    try:
        1 / 0
    except ZeroDivisionError as exception:
        error, traceback = exception, exception.__traceback__
    log = []
    paused(catches(log)).throw(ZeroDivisionError, error, traceback)
    frames = []
    traceback = log[0].__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert frames == ["function", "test_throw_keeps_the_traceback_it_is_given"]


def test_throw_later():
    log = []
    t = paused(catches(log))
    t.throw(ValueError, pending=True)
    assert log == [] and t.scheduled
    run()
    assert [type(e) for e in log] == [ValueError]


def test_throw_unblocks():
    log = []
    c = channel()

    def function():
        try:
            c.receive()
        except ValueError as exception:
            log.append(exception)

    t = tasklet(function)()
    run()
    assert c.balance == -1
    t.throw(ValueError)
    assert len(log) == 1 and c.balance == 0 and c.queue is None


def test_throw_into_a_dead_tasklet_is_an_error():
    t = tasklet(len)(())
    run()
    with pytest.raises(RuntimeError, match="dead"):
        t.throw(ValueError)
    with pytest.raises(RuntimeError, match="dead"):
        t.raise_exception(ValueError)
    t.throw(TaskletExit)
    t.raise_exception(TaskletExit)
    t.kill()


def test_throw_into_the_current_tasklet_raises():
    with pytest.raises(ValueError):
        getcurrent().throw(ValueError)
    with pytest.raises(TaskletExit):
        getcurrent().kill()


def test_throw_wants_exceptions():
    t = tasklet(print)()
    for wrong in ((3,), (int,), (ValueError("x"), "y"), (ValueError, None, 3)):
        with pytest.raises(TypeError):
            t.throw(*wrong)
    t.kill()


def test_an_exception_thrown_into_one_that_has_not_begun_ends_it():
    log = []
    t = tasklet(log.append)(1)
    with pytest.raises(ValueError):
        t.throw(ValueError)
    assert not t.alive and log == []


def test_raise_exception_instantiates():
    log = []
    t = paused(catches(log))
    t.raise_exception(ValueError, 1, 2)
    assert log[0].args == (1, 2)
    with pytest.raises(TypeError):
        t.raise_exception()
    with pytest.raises(TypeError):
        t.raise_exception(3)


def test_an_uncaught_exception_is_raised_out_of_run():
    def fails():
        raise ValueError("x")

    log = []
    t = tasklet(fails)()
    tasklet(log.append)(1)
    with pytest.raises(ValueError, match="x"):
        run()
    assert not t.alive and log == []
    run()
    assert log == [1]


def test_the_traceback_shows_where_in_the_tasklet():
    def inner():
        raise ValueError

    def outer():
        schedule()
        inner()

    tasklet(outer)()
    with pytest.raises(ValueError) as caught:
        run()
    assert [entry.name for entry in caught.traceback][-2:] == ["outer", "inner"]


def test_tasklet_exit_is_silent():
    def function():
        raise TaskletExit

    t = tasklet(function)()
    run()
    assert not t.alive
    assert issubclass(TaskletExit, SystemExit)


def test_system_exit_is_not():
    tasklet(sys.exit)(3)
    with pytest.raises(SystemExit):
        run()


# --- kill ------------------------------------------------------------------------------------------------------------


def test_kill_runs_finally_blocks_at_once():
    log = []

    def function():
        try:
            schedule_remove()
        finally:
            log.append("finally")

    t = paused(function)
    assert t.kill() is None
    assert log == ["finally"]
    assert not t.alive
    t.kill()


def test_kill_later():
    log = []
    t = paused(catches(log))
    t.kill(pending=True)
    assert t.alive and log == []
    run()
    assert [type(e) for e in log] == [TaskletExit]


def test_an_exception_that_is_none_is_not_raised(monkeypatch):
    class Odd(Exception):
        def __new__(cls, *args):
            return 3

    t = paused()
    for give in (lambda: t.throw(Odd), lambda: t.throw(Odd, (1, 2)), lambda: t.raise_exception(Odd), lambda: t.raise_exception(Odd, 1)):
        with pytest.raises(TypeError, match="did not make an exception"):
            give()
    with monkeypatch.context() as patched:
        patched.setattr(TaskletExit, "__new__", lambda *_: 3)
        with pytest.raises(TypeError, match="did not make an exception"):
            t.kill()
    assert t.alive and t.paused
    t.kill()
    assert not t.alive


def test_kill_of_one_that_has_not_begun_just_ends_it():
    log = []
    t = tasklet(log.append)(1)
    t.kill()
    assert not t.alive and not t.scheduled
    run()
    assert log == []


def test_a_killed_tasklet_may_go_on():
    log = []

    def function():
        try:
            schedule_remove()
        except TaskletExit:
            log.append("no")
        schedule()
        log.append("end")

    t = paused(function)
    t.kill()
    assert t.alive and log == ["no"]
    run()
    assert log == ["no", "end"]


def test_a_killed_tasklet_may_use_channels():
    log = []
    c = channel()

    def function():
        try:
            schedule_remove()
        finally:
            c.send("killed")

    t = paused(function)
    tasklet(lambda: log.append(c.receive()))()
    t.kill()
    run()
    assert log == ["killed"] and not t.alive


# --- attributes ------------------------------------------------------------------------------------------------------


def test_states():
    def states(t):
        return {name for name in ("alive", "paused", "blocked", "scheduled", "is_current", "is_main", "restorable")
                if getattr(t, name)}

    c = channel()
    seen = []
    t = tasklet(lambda: (seen.append(states(getcurrent())), c.receive()))
    assert states(t) == {"restorable"}
    t.bind(None, ())
    assert states(t) == {"alive", "paused", "restorable"}
    t.insert()
    assert states(t) == {"alive", "scheduled", "restorable"}
    run()
    assert seen == [{"alive", "scheduled", "is_current"}]
    assert states(t) == {"alive", "blocked", "scheduled"}
    c.send(None)
    assert states(t) == {"restorable"}
    assert states(getmain()) == {"alive", "scheduled", "is_current", "is_main"}


def test_next_and_prev_follow_the_chain():
    main = getcurrent()
    assert main.next is main and main.prev is main
    one, two = tasklet(print)(), tasklet(print)()
    assert (main.next, one.next, two.next) == (one, two, main)
    assert (main.prev, one.prev, two.prev) == (two, main, one)
    one.kill()
    assert one.next is None and one.prev is None
    assert main.next is two
    two.kill()


def test_thread_id():
    import threading

    assert tasklet().thread_id == threading.get_ident() == getmain().thread_id


def test_flags():
    t = tasklet()
    assert t.set_atomic(1) is False and t.atomic is True
    assert t.set_atomic(0) is True and t.atomic is False
    assert t.set_ignore_nesting(1) is False and t.ignore_nesting is True
    assert t.set_ignore_nesting(0) is True
    assert t.block_trap is False
    t.block_trap = 1
    assert t.block_trap is True
    assert t.nesting_level == 0
    with pytest.raises(TypeError):
        t.set_atomic()


def test_read_only_attributes():
    for name in ("alive", "blocked", "scheduled", "paused", "is_main", "is_current", "thread_id", "frame", "next"):
        with pytest.raises(AttributeError):
            setattr(tasklet(), name, 1)


def test_frame_and_recursion_depth():
    def inner():
        schedule_remove()

    def outer():
        inner()

    t = tasklet(outer)
    assert t.frame is None and t.recursion_depth == 0
    t()
    run()
    assert t.frame.f_code.co_name == "inner"
    assert t.frame.f_back.f_code.co_name == "outer"
    assert t.recursion_depth == 2
    t.kill()
    assert t.frame is None
    assert getcurrent().frame is sys._getframe()
    assert getcurrent().recursion_depth > 2


def test_tempval_is_what_schedule_remove_returns():
    seen = []
    t = paused(lambda: seen.append(schedule_remove(1)))
    assert t.tempval == 1
    t.tempval = "other"
    t.insert()
    run()
    assert seen == ["other"]


def test_tempval_of_a_bound_tasklet_is_its_function():
    t = tasklet(print)
    assert t.tempval is print
    seen = []
    t.tempval = seen.append
    t(1)
    run()
    assert seen == [1]
    assert tasklet().tempval is None


changes_events_while_suspended = pytest.mark.skipif(
    IS_DEBUG_BUILD and sys.version_info >= (3, 12),
    reason="the interpreter asserts that no frame it can't find is suspended when events change",
)


class Hook:
    """The trace or the profile functions, of threads and of tasklets."""

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
    """A trace or profile function that notes the names of the Python functions called."""

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


# --- contexts --------------------------------------------------------------------------------------------------------

variable = contextvars.ContextVar("variable", default="default")


def test_a_tasklet_runs_in_the_context_of_the_one_that_bound_it():
    token = variable.set("main")
    seen = []

    def function():
        seen.append(variable.get())
        variable.set("tasklet")

    tasklet(function)()
    run()
    assert seen == ["main"]
    assert variable.get() == "tasklet"
    variable.reset(token)


def test_set_context_gives_it_one_of_its_own():
    seen = []

    def function():
        variable.set("tasklet")
        schedule()
        seen.append(variable.get())

    t = tasklet(function)
    assert t.set_context(contextvars.copy_context()) is t
    t()
    run()
    assert seen == ["tasklet"]
    assert variable.get() == "default"


def test_set_context_of_a_suspended_and_of_the_current_tasklet():
    seen = []
    t = paused(lambda: (schedule_remove(), seen.append(variable.get())))
    context = contextvars.copy_context()
    context.run(variable.set, "new")
    t.set_context(context)
    t.run()
    assert seen == ["new"]

    def function():
        getcurrent().set_context(context)
        seen.append(variable.get())

    tasklet(function).set_context(contextvars.Context())()
    run()
    assert seen == ["new", "new"]


def test_the_context_of_a_tasklet_in_whose_greenlet_another_one_runs():
    # It was set where the greenlet, which runs, only leaves it when it is suspended, and the one in use was let go of: crash.
    assert output_of("""
        import contextvars
        import greenlet
        from greenlet.stackless import getcurrent, getmain, schedule, tasklet

        variable = contextvars.ContextVar("variable")

        def wait():
            greenlets.append(greenlet.getcurrent())
            greenlets[0].switch()
            assert getcurrent() is getmain()
            t.set_context(context)
            print(variable.get(), t.context_run(variable.get))
            contextvars.copy_context()

        context = contextvars.Context()
        context.run(variable.set, "set")
        greenlets = [greenlet.getcurrent()]
        t = tasklet(wait)()
        t.set_context(contextvars.Context())
        schedule()
        greenlets[1].switch()
    """) == "set set\n"


def test_context_run():
    context = contextvars.copy_context()
    t = paused()
    t.set_context(context)
    assert t.context_run(variable.set, "there").var is variable
    assert variable.get() == "default"
    assert context[variable] == "there"
    assert t.context_run(variable.get) == "there"
    assert t.context_run(dict, a=1) == {"a": 1}
    with pytest.raises(ZeroDivisionError):
        t.context_run(lambda: 1 / 0)
    assert variable.get() == "default"
    t.kill()
    assert getcurrent().context_run(variable.get) == "default"


def test_set_context_refuses_what_is_none_and_what_is_in_use():
    with pytest.raises(TypeError):
        tasklet().set_context(3)
    with pytest.raises(RuntimeError, match="in use"):
        contextvars.copy_context().run(getcurrent().set_context, contextvars.Context())


# --- pickling and copying --------------------------------------------------------------------------------------------


def test_a_tasklet_that_has_not_begun_can_be_pickled():
    t = tasklet(print, (1,), {"end": ""})
    t.block_trap = True
    again = pickle.loads(pickle.dumps(t))
    assert again.alive and again.paused and again.block_trap
    assert again.__reduce__()[2] == t.__reduce__()[2]


def test_a_scheduled_one_is_scheduled_again():
    t = tasklet(len)(())
    again = copy.copy(t)
    assert again.scheduled
    assert stackless.getruncount() == 3
    run()


def test_one_that_has_begun_can_not_be_pickled():
    t = paused()
    with pytest.raises(NotImplementedError, match="C stack"):
        pickle.dumps(t)
    t.kill()
    assert not pickle.loads(pickle.dumps(t)).alive


@pytest.mark.parametrize("arguments", [(), (None,), (1, 2), (tasklet(len),), (stackless.getmain(),)])
def test_what_greenlets_of_tasklets_run_is_not_for_others(arguments):
    # A program finds it if it looks for it.
    builtins = [each for each in gc.get_objects() if type(each) is type(len) and each.__name__ == "run_tasklet"]
    assert builtins
    with pytest.raises(RuntimeError, match="only a scheduler runs tasklets"):
        builtins[0](*arguments)
