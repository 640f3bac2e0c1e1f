"""greenlet.stackless: one scheduler per thread, and tasklets of other threads."""

import threading
import time
import weakref

import pytest
from support.environment import IS_FREE_THREADED
from support.processes import output_of_stress
from support.scheduler import WITH_A_SCHEDULER
from support.threads import in_thread, wait_for

import greenlet.stackless as stackless
from greenlet.stackless import getcurrent, getmain, run, schedule_remove, tasklet

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


@pytest.mark.skipif(IS_FREE_THREADED, reason="get_thread_info() finds only threads that have used tasklets there")
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


@pytest.mark.skipif(IS_FREE_THREADED, reason="get_thread_info() finds only threads that have used tasklets there")
def test_a_thread_that_never_uses_tasklets_may_have_been_asked_for_them(a_thread_without_tasklets):
    thread, end = a_thread_without_tasklets
    reference = weakref.ref(stackless.get_thread_info(thread.ident)[0])
    end()
    wait_for(lambda: reference() is None)
    with pytest.raises(RuntimeError, match="no thread"):
        stackless.get_thread_info(thread.ident)


@pytest.mark.skipif(IS_FREE_THREADED, reason="get_thread_info() finds only threads that have used tasklets there")
def test_a_tasklet_can_be_bound_to_a_thread_that_has_not_used_tasklets(a_thread_without_tasklets):
    thread, end = a_thread_without_tasklets
    log = []
    t = tasklet(lambda: log.append(threading.get_ident()), ()).bind_thread(thread.ident).insert()
    assert t.thread_id == thread.ident and stackless.get_thread_info(thread.ident)[2] == 2
    run()
    assert log == []
    end(run)
    assert log == [thread.ident] and not t.alive


@pytest.mark.skipif(IS_FREE_THREADED, reason="get_thread_info() finds only threads that have used tasklets there")
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


@pytest.mark.skipif(IS_FREE_THREADED, reason="get_thread_info() finds only threads that have used tasklets there")
def test_all_threads_may_be_asked_for_while_they_begin_and_end():
    # The destructors wait, so that other threads run while a thread state is being cleared.
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
    wait_for(
        lambda: not any(main.alive and main is not getmain() for mains in seen for main in mains if main is not None)
    )


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


@pytest.mark.skipif(IS_FREE_THREADED, reason="other threads can't remove the next tasklet there")
def test_another_thread_may_take_the_next_tasklet_while_the_schedule_callback_runs():
    # The tasklet was resumed in both threads, and one of them raised an error.
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
    # tests/stress/tasklet_threads.py SECONDS runs for longer.
    output = output_of_stress("tasklet_threads.py", 2)
    assert ", 0 wrong, " in output
    assert int(output.split()[1]) > 1000
