"""Greenlets belong to a thread: errors in other threads, and greenlets released in another thread."""

import gc
import queue
import sys
import threading
import time
import weakref

import pytest
from support.environment import IS_FREE_THREADED
from support.greenlets import collect, suspended
from support.threads import in_thread

from greenlet import GreenletExit, error, getcurrent, greenlet


class Worker:
    """A thread that calls functions one after the other."""

    def __init__(self):
        self.calls = queue.SimpleQueue()
        self.results = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        for function in iter(self.calls.get, None):
            try:
                self.results.put((function(), None))
            except BaseException as exception:
                self.results.put((None, exception))
            del function

    def __call__(self, function):
        self.calls.put(function)
        result, exception = self.results.get(timeout=30)
        if exception is not None:
            raise exception
        return result

    def end(self):
        self.calls.put(None)
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.end()


def test_each_thread_has_a_main_greenlet_of_its_own(worker):
    main = getcurrent()
    other = worker(getcurrent)
    assert other is not main and worker(getcurrent) is other
    assert other.parent is None and other
    assert main.parent is None


def test_threads_switch_independently():
    def run():
        g = suspended(lambda: [getcurrent().parent.switch(i) for i in range(100)])
        count = 0
        while g:
            g.switch()
            time.sleep(0)
            count += 1
        return count

    results = []
    threads = [threading.Thread(target=lambda: results.append(run())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [100] * 5


class TestErrors:
    def test_switch_to_the_main_greenlet_of_another_thread(self, worker):
        other = worker(getcurrent)
        with pytest.raises(error, match="different thread"):
            other.switch()
        assert getcurrent().parent is None

    def test_switch_to_a_suspended_greenlet_of_another_thread(self, worker):
        other = worker(suspended)
        with pytest.raises(error, match="different thread"):
            other.switch()
        assert other and not other.dead
        worker(other.switch)
        assert other.dead

    def test_switch_to_an_unstarted_greenlet_of_another_thread(self, worker):
        other = worker(lambda: greenlet(lambda: "ran"))
        with pytest.raises(error):
            other.switch()
        assert not other.dead
        assert worker(other.switch) == "ran"

    def test_switch_to_a_finished_greenlet_of_another_thread(self, worker):
        def run():
            g = suspended()
            g.switch()
            return g

        with pytest.raises(error):
            worker(run).switch()

    def test_the_frame_of_a_greenlet_of_another_thread(self, worker):
        # Without a GIL the other thread may resume it at any time.
        assert (worker(suspended).gr_frame is None) == IS_FREE_THREADED

    def test_throw_into_a_greenlet_of_another_thread(self, worker):
        other = worker(suspended)
        with pytest.raises(error):
            other.throw(LookupError)
        with pytest.raises(error):
            other.throw()
        assert other
        worker(other.switch)

    def test_switch_to_the_main_greenlet_of_an_ended_thread(self):
        other = in_thread(getcurrent)
        with pytest.raises(error, match="exited"):
            other.switch()

    def test_switch_to_a_suspended_greenlet_of_an_ended_thread(self):
        other = in_thread(suspended)
        with pytest.raises(error, match="exited"):
            other.switch()
        assert other.dead and not other

    def test_throw_into_a_suspended_greenlet_of_an_ended_thread(self):
        other = in_thread(suspended)
        with pytest.raises(error):
            other.throw(LookupError)
        with pytest.raises(error):
            other.throw()

    def test_switch_to_an_unstarted_greenlet_of_an_ended_thread(self):
        other = in_thread(lambda: greenlet(lambda: "ran"))
        with pytest.raises(error):
            other.switch()

    def test_an_unstarted_greenlet_of_an_ended_thread_can_get_a_new_parent(self):
        other = in_thread(lambda: greenlet(lambda: "ran"))
        other.parent = getcurrent()
        assert other.switch() == "ran"

    def test_the_callers_state_is_untouched(self, worker):
        other = worker(getcurrent)

        def run():
            try:
                raise KeyError
            except KeyError:
                with pytest.raises(error):
                    other.switch(1, a=2)
                return type(sys.exc_info()[1])

        g = greenlet(run)
        assert g.switch() is KeyError and g.dead


class TestRelease:
    def keeper(self, events):
        def run():
            try:
                getcurrent().parent.switch()
            except GreenletExit:
                events.append(threading.get_ident())
                raise

        return suspended(run)

    def test_a_greenlet_released_in_another_thread_is_killed_in_its_own(self):
        events = []
        g = [self.keeper(events)]
        in_thread(g.clear)
        getcurrent()
        assert events == [threading.get_ident()]

    def test_it_is_killed_when_its_thread_next_creates_or_switches(self):
        for use in (greenlet, lambda: getcurrent().switch()):
            events = []
            g = [self.keeper(events)]
            in_thread(g.clear)
            use()
            assert events == [threading.get_ident()]

    def test_many_released_at_once_are_all_killed(self):
        events = []
        greenlets = [self.keeper(events) for _ in range(100)]
        in_thread(greenlets.clear)
        getcurrent()
        assert events == [threading.get_ident()] * 100

    def test_one_released_here_for_another_thread_is_killed_there(self, worker):
        events = []
        g = [worker(lambda: self.keeper(events))]
        identity = worker(threading.get_ident)
        g.clear()
        assert events == []
        worker(getcurrent)
        assert events == [identity]

    def test_one_released_here_for_another_thread_is_killed_when_that_ends(self):
        worker = Worker()
        events = []
        g = [worker(lambda: self.keeper(events))]
        identity = worker(threading.get_ident)
        g.clear()
        assert events == []
        worker.end()
        assert events == [identity]

    def test_a_weak_reference_is_cleared_in_the_end(self, worker):
        g = worker(suspended)
        alive = weakref.ref(g)
        del g
        worker(getcurrent)
        worker(collect)
        assert alive() is None

    def test_garbage_found_in_another_thread_is_killed_in_its_own(self, worker):
        events = []

        def run(cell):
            try:
                getcurrent().parent.switch()
            finally:
                events.append(threading.get_ident())

        def make():
            cell = []
            cell.append(suspended(run, cell))

        identity = worker(threading.get_ident)
        gc.disable()
        try:
            worker(make)
            gc.collect()
            worker(getcurrent)
            worker(gc.collect)
        finally:
            gc.enable()
        assert events == [identity]

    def test_an_unstarted_greenlet_can_be_released_anywhere(self, worker):
        g = worker(lambda: greenlet(len))
        alive = weakref.ref(g)
        del g
        worker(lambda: None)  # without a GIL, the owner releases the last reference later
        worker(lambda: None)
        assert alive() is None


def test_a_thread_may_be_started_and_joined_in_a_greenlet():
    def run():
        return in_thread(lambda: greenlet(lambda: "inner").switch())

    assert greenlet(run).switch() == "inner"


def test_locks_can_be_held_across_switches():
    lock = threading.RLock()

    def run():
        with lock:
            getcurrent().parent.switch()

    g = suspended(run)
    # The lock belongs to the thread, so another greenlet of the thread may acquire it too.
    assert lock.acquire(blocking=False)
    lock.release()
    g.switch()
    assert in_thread(lambda: lock.acquire(blocking=False))


def test_thread_locals_are_shared_by_the_greenlets_of_a_thread():
    local = threading.local()
    local.value = "main"
    assert greenlet(lambda: local.value).switch() == "main"
    assert in_thread(lambda: hasattr(local, "value")) is False


def test_what_another_thread_released_is_killed_without_loss_of_what_is_passed():
    def run():
        thread = threading.Thread(target=released.clear)
        thread.start()
        thread.join()
        return "result"

    released = [greenlet(lambda: getcurrent().parent.switch())]
    released[0].switch()
    assert greenlet(run).switch() == "result"
