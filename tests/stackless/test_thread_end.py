"""greenlet.stackless: tasklets whose thread, process or interpreter ends."""

import contextlib
import os
import threading
import time

import pytest
from support.processes import output_of
from support.scheduler import WITH_A_SCHEDULER
from support.threads import in_thread, wait_for

from greenlet.stackless import TaskletExit, channel, run, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER


def test_tasklets_of_a_thread_that_ends_are_killed():
    log = []
    kept = []

    def in_the_thread():
        c = channel()

        def function(action):
            try:
                action()
            except TaskletExit:
                log.append((action.__name__, threading.get_ident()))
                raise

        def blocked():
            c.receive()

        def paused():
            schedule_remove()

        kept.extend(tasklet(function)(action) for action in (blocked, paused))
        run()
        kept.append(tasklet(function)(blocked))
        return threading.get_ident()

    ident = in_thread(in_the_thread)
    deadline = time.monotonic() + 10
    while len(log) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert sorted(log) == [("blocked", ident), ("paused", ident)]
    blocked, paused, unstarted = kept
    assert not blocked.alive and not paused.alive
    assert not unstarted.alive and unstarted.thread_id == -1 and not unstarted.scheduled


def of_an_ended_thread(make):
    """The result of *make*, which was called in a thread that has ended."""
    made = in_thread(make)
    wait_for(lambda: made.thread_id == -1)
    return made


WITHOUT_A_THREAD = {
    "given arguments": lambda: tasklet(print, ()),
    "scheduled": lambda: tasklet(print)(),
    "removed": lambda: tasklet(print)().remove(),
    "bound": lambda: tasklet(print),
    "unbound": tasklet,
    "ended": lambda: (tasklet(int)(), run())[0],
    "killed": lambda: (tasklet(schedule_remove)(), run())[0],
}


@pytest.mark.parametrize("kind", WITHOUT_A_THREAD)
def test_one_of_an_ended_thread_is_dead(kind):
    # Tasklets that had not begun were alive: "while t.alive: run()" never ended.
    t = of_an_ended_thread(WITHOUT_A_THREAD[kind])
    assert not (t.alive or t.paused or t.scheduled or t.blocked or t.is_current)
    assert (t.next, t.prev, t.frame, t.recursion_depth) == (None, None, None, 0)
    assert t.restorable and "not alive" in repr(t)
    assert t.trace_function is t.profile_function is None
    t.remove()
    for name, *arguments in [
        ("insert",), ("run",), ("switch",), ("setup",), ("__call__",), ("throw", ValueError), ("raise_exception", ValueError),
        ("bind", None, ()), ("bind", None, None, {}), ("bind", print, ()), ("bind", print, None, {}), ("__init__", print, ()),
    ]:  # fmt: skip
        with pytest.raises(RuntimeError):
            getattr(t, name)(*arguments)
        assert not t.alive and t.thread_id == -1
    t.bind(print)
    assert not t.alive and t.tempval is print
    with pytest.raises(RuntimeError, match="no thread"):
        t.setup()
    with pytest.raises(RuntimeError, match="no thread"):
        t.bind(print, ())
    t.bind(None)
    assert not t.alive and t.tempval is None
    t.kill()
    t.throw(TaskletExit)
    assert not t.alive and t.thread_id == -1


def test_one_of_an_ended_thread_that_has_not_begun_refuses_even_to_end_but_by_kill():
    t = of_an_ended_thread(lambda: tasklet(print, ()))
    for pending in (False, True):
        with pytest.raises(RuntimeError, match="no thread"):
            t.throw(TaskletExit, pending=pending)
    t.kill()
    t.throw(TaskletExit)


def test_one_of_an_ended_thread_shows_what_it_would_return():
    t = of_an_ended_thread(lambda: tasklet(print, (1,)))
    assert t.tempval is None
    t.tempval = 5
    assert t.tempval == 5
    assert t.bind_thread().alive
    t.kill()


@pytest.mark.parametrize("kind", ["given arguments", "scheduled", "removed"])
def test_one_of_an_ended_thread_lives_again_in_another(kind):
    t = of_an_ended_thread(WITHOUT_A_THREAD[kind])
    t.bind_thread()
    assert t.alive and t.paused
    t.kill()


def test_one_of_an_ended_thread_that_had_begun_has_c_state():
    def refuses():
        while True:
            with contextlib.suppress(TaskletExit):
                schedule_remove()

    t = of_an_ended_thread(lambda: (tasklet(refuses)(), run())[0])
    for function in (t.bind, lambda: t.bind(None), lambda: t.bind(print), lambda: t.bind(print, ()), t.bind_thread):
        with pytest.raises(RuntimeError, match="C state"):
            function()
    assert not (t.alive or t.paused or t.scheduled or t.blocked or t.restorable)
    t.kill()
    assert t.restorable
    t.bind(None)


def test_one_that_had_not_begun_can_be_bound_to_a_living_thread():
    log = []
    t = in_thread(lambda: tasklet(log.append, (1,)))
    assert t.bind_thread() is t
    t.insert()
    run()
    assert log == [1]


def test_one_that_refuses_to_be_killed_is_released():
    def in_the_thread():
        def function():
            while True:
                try:
                    schedule_remove()
                except TaskletExit:
                    tries.append(1)

        t = tasklet(function)()
        run()
        return t

    tries = []
    t = in_thread(in_the_thread)
    deadline = time.monotonic() + 10
    while t.thread_id != -1 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(tries) == 10
    assert t.thread_id == -1 and not t.alive
    for refused in (t.throw, t.insert, t.run, t.switch, t.bind_thread):
        with pytest.raises(RuntimeError):
            refused(*[TaskletExit] if refused == t.throw else [])
    t.kill()
    assert not t.alive


def test_what_a_thread_owns_may_use_tasklets_when_it_goes():
    # The destructor got the ended scheduler: a SystemError, and the tasklet that it scheduled never ran.
    assert (
        output_of("""
        import threading
        import greenlet.stackless as stackless
        from greenlet import getcurrent, greenlet

        log = []

        class Witness:
            def __init__(self, name):
                self.name = name

            def __del__(self):
                stackless.schedule()
                stackless.tasklet(log.append)(self.name)
                stackless.run()

        local = threading.local()

        def in_the_thread():
            local.witness = Witness("local")
            g = greenlet(lambda: getcurrent().parent.switch())
            g.itself = g
            g.witness = Witness("greenlet")
            g.switch()
            getcurrent().witness = Witness("main greenlet")
            stackless.tasklet(int)()
            stackless.run()

        thread = threading.Thread(target=in_the_thread)
        thread.start()
        thread.join()
        print(*sorted(log), sep=", ")
    """)
        == "greenlet, local, main greenlet\n"
    )


def test_a_tasklet_sees_the_end_of_the_interpreter():
    assert (
        output_of("""
        import greenlet.stackless as stackless

        def function():
            try:
                stackless.schedule_remove()
            finally:
                print("finally")
        t = stackless.tasklet(function)()
        c = stackless.channel()
        stackless.tasklet(c.receive)()
        stackless.run()
        stackless.tasklet(print)("never")
    """)
        == "finally\n"
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
def test_a_fork_leaves_tasklets_usable():
    assert (
        output_of("""
        import os, threading
        import greenlet.stackless as stackless

        log = []
        def function():
            for i in range(3):
                log.append(i)
                stackless.schedule()
        begun, end = threading.Event(), threading.Event()
        def other():
            def blocked():
                stackless.channel().receive()
            stackless.tasklet(blocked)()
            stackless.run()
            begun.set()
            end.wait()
        thread = threading.Thread(target=other)
        thread.start()
        begun.wait()
        t = stackless.tasklet(function)()
        stackless.schedule()
        import warnings
        warnings.simplefilter("ignore")
        child = os.fork()
        stackless.run()
        if child == 0:
            print(log, flush=True)
            stackless.run(100)
            os._exit(0)
        os.waitpid(child, 0)
        end.set()
        thread.join()
        print(log)
    """)
        == "[0, 1, 2]\n" * 2
    )


def test_sub_interpreters_have_schedulers_of_their_own():
    interpreters = pytest.importorskip("_interpreters", reason="no sub-interpreters")
    ident = interpreters.create()
    try:
        failed = interpreters.exec(
            ident,
            """if True:
            import sys
            sys.path[:] = %r
            import greenlet.stackless as stackless
            log = []
            c = stackless.channel()
            stackless.tasklet(lambda: log.append(c.receive()))()
            stackless.tasklet(c.send)(1)
            stackless.run()
            assert log == [1]
            t = stackless.tasklet(c.receive)()
            stackless.run()
        """
            % (__import__("sys").path,),
        )
        assert failed is None, failed
    finally:
        interpreters.destroy(ident)
