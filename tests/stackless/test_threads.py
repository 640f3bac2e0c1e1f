"""greenlet.stackless: one scheduler a thread, and channels between threads."""

import contextlib
import threading
import time
import weakref

import greenlet.stackless as stackless
import pytest
from greenlet.stackless import TaskletExit, channel, getcurrent, getmain, run, schedule_remove, tasklet
from support.environment import IS_FREE_THREADED
from support.processes import output_of, output_of_stress
from support.scheduler import WITH_A_SCHEDULER
from support.threads import in_thread

pytestmark = WITH_A_SCHEDULER


def test_each_thread_has_a_scheduler_of_its_own():
    t = tasklet(print)()
    assert in_thread(stackless.getruncount) == 1
    assert in_thread(getmain) is not getmain()
    assert stackless.runcount == 2
    t.kill()


def test_threads_lists_their_ids():
    assert stackless.threads[0] == threading.main_thread().ident
    assert in_thread(lambda: threading.get_ident() in stackless.threads)


def test_get_thread_info():
    assert stackless.get_thread_info() == (getmain(), getcurrent(), 1)
    main = getmain()
    assert in_thread(lambda: stackless.get_thread_info(threading.main_thread().ident)) == (main, main, 1)
    with pytest.raises(RuntimeError, match="no thread"):
        stackless.get_thread_info(1)
    assert stackless.get_thread_info(-1) == stackless.get_thread_info(None) == stackless.get_thread_info()


@pytest.fixture
def a_thread_without_tasklets():
    """A thread, and a list of functions that it calls in turn when it is told to end."""
    begun, told, to_do = threading.Event(), threading.Event(), []

    def works():
        begun.set()
        told.wait(60)
        for function in to_do:
            function()

    thread = threading.Thread(target=works)
    thread.start()
    begun.wait(60)

    def end(*functions):
        to_do.extend(functions)
        told.set()
        thread.join(60)
        assert not thread.is_alive()

    yield thread, end
    end()


@pytest.mark.skipif(IS_FREE_THREADED, reason="threads do not take turns")
def test_the_main_tasklet_of_a_thread_that_has_not_used_tasklets(a_thread_without_tasklets):
    thread, end = a_thread_without_tasklets
    main, current, runnable = stackless.get_thread_info(thread.ident)
    assert main is current is stackless.get_thread_info(thread.ident)[0] is not getmain() and runnable == 1
    assert main.alive and main.is_main and main.is_current and main.scheduled and not main.paused
    assert main.thread_id == thread.ident and main.frame is None
    seen = []
    end(lambda: seen.extend([getmain(), getcurrent(), *stackless.get_thread_info()]))
    assert seen == [main, main, main, main, 1]
    wait_for(lambda: main.thread_id == -1)
    assert not (main.alive or main.is_current or main.scheduled)


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert condition()


@pytest.mark.skipif(IS_FREE_THREADED, reason="threads do not take turns")
def test_a_thread_that_never_uses_tasklets_may_have_been_asked_for_them(a_thread_without_tasklets):
    thread, end = a_thread_without_tasklets
    reference = weakref.ref(stackless.get_thread_info(thread.ident)[0])
    end()
    wait_for(lambda: reference() is None)
    with pytest.raises(RuntimeError, match="no thread"):
        stackless.get_thread_info(thread.ident)


@pytest.mark.skipif(IS_FREE_THREADED, reason="threads do not take turns")
def test_a_tasklet_can_be_bound_to_a_thread_that_has_not_used_tasklets(a_thread_without_tasklets):
    thread, end = a_thread_without_tasklets
    log = []
    t = tasklet(lambda: log.append(threading.get_ident()), ()).bind_thread(thread.ident).insert()
    assert t.thread_id == thread.ident and stackless.get_thread_info(thread.ident)[2] == 2
    run()
    assert log == []
    end(run)
    assert log == [thread.ident] and not t.alive


@pytest.mark.skipif(IS_FREE_THREADED, reason="threads do not take turns")
def test_a_thread_that_has_not_used_tasklets_is_interrupted_when_it_does(a_thread_without_tasklets):
    thread, end = a_thread_without_tasklets
    stackless.get_thread_info(thread.ident)[0].throw(LookupError, pending=True)
    log = []

    def uses():
        try:
            tasklet(log.append)("ran")
            run()
        except LookupError:
            log.append("raised")
            run()

    end(uses)
    assert sorted(log) == ["raised", "ran"]


@pytest.mark.skipif(IS_FREE_THREADED, reason="threads do not take turns")
def test_all_threads_may_be_asked_for_while_they_begin_and_end():
    # Their thread states are cleared meanwhile: destructors that wait let others look at them then.
    class Slow:
        def __del__(self):
            time.sleep(0.002)
            ended.append(1)

    local = threading.local()
    seen, ended = [], []

    def infos():
        found = []
        for ident in stackless.threads:
            try:
                found.append(stackless.get_thread_info(ident)[0])
            except RuntimeError:
                pass
        seen.append(found)

    def short():
        local.slow = Slow()
        infos()

    for _ in range(20):
        threads = [threading.Thread(target=short if i % 2 else infos) for i in range(6)]
        for thread in threads:
            thread.start()
        infos()
        for thread in threads:
            thread.join()
    wait_for(lambda: len(ended) == 60)
    wait_for(lambda: not any(main.alive and main is not getmain() for mains in seen for main in mains if main is not None))


def test_a_tasklet_can_be_scheduled_by_another_thread():
    log = []
    t = tasklet(lambda: log.append(threading.get_ident())).bind(None, ())
    in_thread(t.insert)
    assert log == []
    run()
    t = tasklet(lambda: log.append(threading.get_ident())).bind(None, ())
    in_thread(t.run)
    run()
    assert log == [threading.get_ident()] * 2


def test_one_that_another_thread_runs_is_the_next_one():
    log = []
    first, second, third = (tasklet(log.append, (name,)) for name in "123")

    def other():
        second.insert()
        third.insert()
        first.run()

    in_thread(other)
    run()
    assert log == ["1", "2", "3"]


def test_but_not_switched_to():
    t = tasklet(print, ())
    with pytest.raises(RuntimeError, match="different thread"):
        in_thread(t.switch)
    t.kill()


def test_one_of_another_thread_is_killed_by_its_own():
    log = []

    def function():
        try:
            schedule_remove()
        finally:
            log.append(threading.get_ident())

    t = tasklet(function)()
    run()
    in_thread(t.kill)
    assert t.scheduled and log == []
    run()
    assert log == [threading.get_ident()]


def test_bind_thread():
    log = []
    t = tasklet(lambda: log.append(threading.get_ident())).bind(None, ())

    def other():
        t.bind_thread()
        assert t.thread_id == threading.get_ident()
        t.insert()
        run()
        return threading.get_ident()

    assert log == [in_thread(other)] or log == log[:1]
    assert not t.alive
    t = tasklet(print, ())
    assert in_thread(lambda: t.bind_thread(threading.main_thread().ident)) is t
    with pytest.raises(ValueError):
        t.bind_thread(1)
    t.insert()
    with pytest.raises(RuntimeError, match="runnable"):
        t.bind_thread()
    t.kill()
    t = tasklet(schedule_remove)()
    run()
    with pytest.raises(RuntimeError, match="C state"):
        t.bind_thread()
    t.kill()


# --- channels --------------------------------------------------------------------------------------------------------


def test_a_command_loop_between_two_threads():
    commands = channel()
    log = []

    def master():
        for command in ("one", "two", "QUIT"):
            commands.send(command)

    def slave():
        while True:
            command = commands.receive()
            log.append(command)
            if command == "QUIT":
                break

    def run_until_it_ended(function):
        t = tasklet(function)()
        while t.alive:
            run()
            time.sleep(0)

    thread = threading.Thread(target=run_until_it_ended, args=(master,))
    thread.start()
    run_until_it_ended(slave)
    thread.join(60)
    assert log == ["one", "two", "QUIT"]


def test_main_tasklets_of_two_threads_meet():
    requests, answers = channel(), channel()

    def server():
        for request in requests:
            answers.send(request * 2)

    thread = threading.Thread(target=server)
    thread.start()
    got = []
    for i in range(200):
        requests.send(i)
        got.append(answers.receive())
    requests.send_exception(StopIteration)
    thread.join(60)
    assert not thread.is_alive()
    assert got == [2 * i for i in range(200)]


def test_threadblock_waits_for_other_threads():
    c = channel()
    got = []

    def sender():
        for i in range(3):
            time.sleep(0.01)
            c.send(i)

    t = tasklet(lambda: got.extend(c.receive() for _ in range(3)))()
    thread = threading.Thread(target=sender)
    thread.start()
    while t.alive:
        run(threadblock=True)
    thread.join(60)
    assert got == [0, 1, 2]


def test_threadblock_returns_when_a_tasklet_has_ended():
    orders, log = channel(), []

    def works():
        while (order := orders.receive()) != "stop":
            log.append(order)

    def other():
        worker = tasklet(works)()
        second = tasklet(channel().receive)()
        while worker.alive:
            run(threadblock=True)
        second.kill()

    thread = threading.Thread(target=other)
    thread.start()
    for order in ("this", "that", "stop"):
        orders.send(order)
    thread.join(10)
    assert not thread.is_alive()
    assert log == ["this", "that"]


def test_threadblock_returns_when_there_is_nobody_to_wait_for():
    assert output_of("""
        import greenlet.stackless as stackless
        t = stackless.tasklet(stackless.channel().receive)()
        stackless.run(threadblock=True)
        print(t.blocked)
    """) == "True\n"


def test_a_deadlock_of_all_threads_is_noticed_by_one():
    assert output_of("""
        import threading
        import greenlet.stackless as stackless

        def other():
            try:
                c.receive()
            except RuntimeError as exception:
                errors.append(str(exception))
        c = stackless.channel()
        errors = []
        thread = threading.Thread(target=other)
        thread.start()
        try:
            stackless.channel().receive()
        except RuntimeError as exception:
            errors.append(str(exception))
        if thread.is_alive():
            c.send(None)
        thread.join()
        print(*set(errors))
    """) == "Deadlock: the last runnable tasklet cannot be blocked.\n"


def test_waiting_for_other_threads_can_be_interrupted():
    assert output_of("""
        import os, signal, threading, time
        import greenlet.stackless as stackless

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        def other():
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)
        threading.Thread(target=other).start()
        c = stackless.channel()
        try:
            c.receive()
        except KeyboardInterrupt:
            print("KeyboardInterrupt", c.balance, stackless.runcount)
    """) == "KeyboardInterrupt 0 1\n"


def test_a_waiting_thread_is_told_before_it_looks_itself():
    c, back = channel(), channel()
    thread = threading.Thread(target=lambda: [back.send(c.receive()) for _ in range(20)])
    thread.start()
    begin = time.monotonic()
    for i in range(20):
        c.send(i)
        assert back.receive() == i
    elapsed = time.monotonic() - begin
    thread.join(60)
    assert elapsed < 20 * 0.05


# --- the end of a thread ---------------------------------------------------------------------------------------------


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
    """What *make* returns, called in a thread that has ended since."""
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
    # Those that had not begun were alive: "while t.alive: run()" never ended.
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
    # It found the scheduler that had just ended: SystemError, and what it scheduled never ran.
    assert output_of("""
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
    """) == "greenlet, local, main greenlet\n"


@pytest.mark.skipif(IS_FREE_THREADED, reason="the tasklet that is switched to can't be taken there")
def test_another_thread_may_take_the_next_tasklet_while_the_schedule_callback_runs():
    # It was resumed in both threads, which was an error in one of them.
    def other():
        assert t.remove().bind_thread() is t
        t.insert()
        taken.set()
        ran.wait(60)
        run()

    def callback(previous, following):
        if following is t and not taken.is_set():
            thread.start()
            taken.wait(60)

    log = []
    taken, ran = threading.Event(), threading.Event()
    thread = threading.Thread(target=other)
    t = tasklet(lambda: log.append(threading.get_ident()))()
    stackless.set_schedule_callback(callback)
    try:
        run()
    finally:
        stackless.set_schedule_callback(None)
    assert log == []
    ran.set()
    thread.join(60)
    assert log == [thread.ident]


def test_threads_may_do_anything_with_each_others_tasklets_at_once():
    # tests/stress/tasklet_threads.py SECONDS does it for longer.
    output = output_of_stress("tasklet_threads.py", 2)
    assert ", 0 wrong, " in output
    assert int(output.split()[1]) > 1000


def test_a_tasklet_sees_the_end_of_the_interpreter():
    assert output_of("""
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
    """) == "finally\n"


def test_a_fork_leaves_tasklets_usable():
    assert output_of("""
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
    """) == "[0, 1, 2]\n" * 2


def test_sub_interpreters_have_schedulers_of_their_own():
    interpreters = pytest.importorskip("_interpreters", reason="no sub-interpreters")
    ident = interpreters.create()
    try:
        failed = interpreters.exec(ident, """if True:
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
        """ % (__import__("sys").path,))
        assert failed is None, failed
    finally:
        interpreters.destroy(ident)
