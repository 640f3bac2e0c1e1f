"""Greenlets belong to a thread: the errors that keep it so, and what happens when a thread ends."""

import contextvars
import gc
import queue
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from pathlib import Path

import greenlet as package
import pytest
from greenlet import GreenletExit, error, getcurrent, greenlet
from support import DAEMON_THREADS_END_WELL, IS_DEBUG_BUILD, IS_FREE_THREADED, collect, in_thread, output_of, suspended


def run_threads(source, functions, check=""):
    """In a process of its own: *source*, then each of its *functions* in a thread, all at once, then *check*. Nothing may fail."""
    threads = f"""
import threading

threads = [threading.Thread(target=function) for function in ({functions},)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
{check}
print("done")
"""
    assert output_of(textwrap.dedent(source) + threads) == "done\n"


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
        # Where threads do not take turns the other one may resume it at any time.
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
        worker(lambda: None)  # where there is no GIL, the last reference goes when the owner has time
        worker(lambda: None)
        assert alive() is None


class TestEnd:
    def test_the_result_of_a_thread_may_be_its_greenlet(self):
        g = in_thread(suspended)
        assert g.dead and not g
        assert g.gr_frame is None

    def test_finally_blocks_of_an_unreferenced_greenlet_run_in_its_thread(self):
        events = []

        def run(cell):
            try:
                getcurrent().parent.switch()
            finally:
                events.append((threading.get_ident(), cell[0] is getcurrent()))

        def target():
            cell = []
            cell.append(suspended(run, cell))
            return threading.get_ident()

        identity = in_thread(target)
        assert events == [(identity, True)]

    def test_finally_blocks_run_though_the_main_frame_held_the_greenlet(self):
        events = []

        def run():
            try:
                getcurrent().parent.switch()
            finally:
                events.append("finally")

        def target():
            held = suspended(run)  # noqa: F841

        in_thread(target)
        assert events == ["finally"]

    def test_greenlets_in_thread_local_storage_are_finished(self):
        events = []
        local = threading.local()

        def run():
            try:
                getcurrent().parent.switch()
            finally:
                events.append("finally")

        def target():
            local.greenlet = suspended(run)

        in_thread(target)
        collect()
        getcurrent()
        assert events in (["finally"], [])  # which of the two ends first is up to the interpreter
        del local

    def test_what_the_frames_of_a_held_greenlet_own_is_released_with_it(self):
        class Local:
            pass

        def run():
            local = Local()
            getcurrent().parent.switch(weakref.ref(local))

        def target():
            g = greenlet(run)
            return g, g.switch()

        g, alive = in_thread(target)
        del g
        collect()
        assert alive() is None

    def test_suspended_greenlets_and_their_frames_can_be_held_after_the_end(self):
        def nested(depth):
            if depth:
                return nested(depth - 1)
            getcurrent().parent.switch()

        def target():
            greenlets = [suspended(nested, 3) for _ in range(10)]
            return greenlets, [g.gr_frame for g in greenlets]

        held = [in_thread(target) for _ in range(5)]
        # Others use the memory of the thread states that are gone.
        noise = [bytearray(b"\xff" * size) for size in range(500, 5000, 10) for _ in range(5)]
        collect()
        for greenlets, frames in held:
            for frame in frames:
                names = []
                while frame is not None:
                    names.append(frame.f_code.co_name)
                    frame = frame.f_back
                assert names == ["nested"] * 4
            assert all(g.dead for g in greenlets)
        del noise

    def test_a_frame_of_an_abandoned_greenlet_keeps_its_variables(self):
        def run():
            local = "value"  # noqa: F841
            getcurrent().parent.switch()

        def target():
            g = suspended(run)
            return g, g.gr_frame

        g, frame = in_thread(target)
        assert g.dead
        collect()
        assert frame.f_locals["local"] == "value"
        assert not any(frame is referent for referent in gc.get_referents(frame))

    def test_the_main_greenlet_can_be_held_after_the_end(self):
        main = in_thread(getcurrent)
        assert main.dead and not main and main.parent is None
        main.name = "value"
        assert main.name == "value"

    def test_main_greenlets_are_released(self):
        from greenlet._greenlet import get_total_main_greenlets

        collect()
        before = get_total_main_greenlets()
        for _ in range(20):
            in_thread(lambda: greenlet(lambda: None).switch())
        collect()
        assert get_total_main_greenlets() <= before

    @DAEMON_THREADS_END_WELL
    def test_a_daemon_thread_with_suspended_greenlets_does_not_hinder_exit(self):
        assert output_of(
            """
            import threading, time
            from greenlet import getcurrent, greenlet

            ready = threading.Event()

            def target():
                g = greenlet(lambda: getcurrent().parent.switch())
                g.switch()
                inside = greenlet(lambda: (ready.set(), time.sleep(100)))
                inside.switch()

            threading.Thread(target=target, daemon=True).start()
            ready.wait()
            print("end")
            """
        ) == "end\n"

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_thread_may_end_inside_a_greenlet(self):
        # Its exception ends the thread; the greenlet's result goes to the main greenlet of the thread as usual.
        results = []

        def target():
            results.append(greenlet(sys.exit).switch())

        thread = threading.Thread(target=target)
        thread.start()
        thread.join(30)
        assert results == []
        assert in_thread(lambda: greenlet(lambda: "fine").switch()) == "fine"

    def test_the_context_of_a_suspended_greenlet_of_another_thread(self):
        variable = contextvars.ContextVar("variable")
        first, second = contextvars.Context(), contextvars.Context()
        first.run(variable.set, "first")
        second.run(variable.set, "second")
        seen = []

        def run():
            seen.append(variable.get())
            getcurrent().parent.switch()
            seen.append(variable.get())

        def target():
            g = greenlet(run)
            g.gr_context = first
            g.switch()
            handed_over.put(g)
            go_on.wait(30)
            g.switch()

        handed_over, go_on = queue.SimpleQueue(), threading.Event()
        thread = threading.Thread(target=target)
        thread.start()
        g = handed_over.get(timeout=30)
        try:
            if IS_FREE_THREADED and sys.version_info < (3, 14):  # where threads can't be stopped
                with pytest.raises(ValueError, match="cannot get context of a greenlet that is running in a different thread"):
                    g.gr_context
                with pytest.raises(ValueError, match="cannot set context of a greenlet that is running in a different thread"):
                    g.gr_context = second
                second = first
            else:
                assert g.gr_context is first
                g.gr_context = second
                assert g.gr_context is second
        finally:
            go_on.set()
            thread.join(30)
        assert seen == ["first", second[variable]]

    def test_the_context_of_a_greenlet_may_be_read_and_set_while_its_thread_switches(self):
        run_threads(
            """
            import contextvars, threading, time
            from greenlet import getcurrent, greenlet

            variable = contextvars.ContextVar("variable")
            end = time.monotonic() + 1
            contexts = [contextvars.Context() for _ in range(10)]
            known = {id(context) for context in contexts}

            def run():
                while True:
                    variable.set(variable.get(0) + 1)
                    getcurrent().parent.switch()

            greenlets = []
            ready = threading.Event()

            def switch():
                greenlets.extend(greenlet(run) for _ in range(100))
                for g, context in zip(greenlets, contexts * 10):
                    g.gr_context = context
                ready.set()
                while time.monotonic() < end:
                    for g in greenlets:
                        g.switch()

            def look():
                ready.wait()
                while time.monotonic() < end:
                    for g, context in zip(greenlets, contexts * 10):
                        try:
                            assert id(g.gr_context) in known
                            g.gr_context = context
                        except ValueError as error:
                            assert "running in a different thread" in str(error)

            """,
            "switch, look, look",
        )

    def test_threads_may_look_at_greenlets_of_a_thread_that_ends(self):
        # Where threads do not take turns: who asks whether such a greenlet is dead frees what it holds, and the ending thread
        # did the same with others at that time: crash.
        run_threads(
            """
            import functools, threading, time
            from greenlet import getcurrent, greenlet

            end = time.monotonic() + 2
            seen_by = [[] for _ in range(4)]

            def run(depth):
                if depth > 0:
                    run(depth - 1)
                getcurrent().parent.switch()

            def leave_greenlets(count):
                greenlets = [greenlet(run) for _ in range(count)]
                for g in greenlets:
                    g.switch(count % 7)
                for box in seen_by:
                    box.extend(greenlets)

            def start_threads():
                count = 0
                while time.monotonic() < end:
                    count = count % 59 + 1
                    thread = threading.Thread(target=leave_greenlets, args=(count,))
                    thread.start()
                    thread.join()

            def context_of(g):
                try:
                    return g.gr_context
                except ValueError as error:
                    assert "running in a different thread" in str(error)

            def look(box, function):
                while time.monotonic() < end:
                    for g in list(box):
                        function(g)
                        g.dead
                    del box[:len(box) // 2]
                    time.sleep(0)

            looks = [functools.partial(look, box, function) for box, function in zip(
                seen_by, (lambda g: g.gr_frame, context_of, lambda g: g._stack_saved, repr))]
            """,
            "start_threads, start_threads, *looks",
        )

    def test_greenlets_finish_while_other_threads_change_their_parents(self):
        # Where threads do not take turns, a greenlet that finished went on in a parent that had been freed: crash.
        run_threads(
            """
            import time
            from greenlet import getcurrent, greenlet

            end = time.monotonic() + 1
            published = []
            counts = [0, 0, 0]

            def finish():
                main = getcurrent()
                while time.monotonic() < end:
                    g = greenlet(lambda: None)
                    published[:] = main, g
                    g.switch()
                    counts[0] += 1

            def change(i):
                while time.monotonic() < end:
                    try:
                        main, g = published
                        g.parent = greenlet(lambda *arguments: None, main)
                        counts[i] += 1
                    except ValueError as error:
                        assert "unpack" in str(error) or "cyclic" in str(error)

            """,
            "finish, lambda: change(1), lambda: change(2)",
            "assert min(counts) > 0, counts",
        )

    def test_threads_that_change_parents_make_no_cycle(self):
        # Where threads do not take turns, each had looked before the other one set its parent: the next switch never ended.
        run_threads(
            """
            import sys
            from greenlet import greenlet

            sys.setswitchinterval(1e-5)
            take_turns = getattr(sys, "_is_gil_enabled", lambda: True)()
            rounds = [(greenlet(), greenlet()) for _ in range(100 if take_turns else 1_000)]
            reached = [0, 0]

            def change(first, second):
                for i, pair in enumerate(rounds):
                    reached[first] = i
                    while reached[second] < i:
                        pass
                    try:
                        pair[first].parent = pair[second]
                    except ValueError:
                        pass
                reached[first] = len(rounds)

            """,
            "lambda: change(0, 1), lambda: change(1, 0)",
            "assert not any(a.parent is b and b.parent is a for a, b in rounds)",
        )

    def test_what_runs_when_a_thread_ends_belongs_to_it_though_another_one_ends_meanwhile(self):
        # It was looked for in what the thread had let go of already, so another main greenlet was made: the greenlet that runs was
        # none of that one's.
        assert output_of(
            """
            import _thread, threading, time
            from greenlet import getcurrent, greenlet

            seen = []
            is_done = _thread.allocate_lock()
            is_done.acquire()

            def wait():
                try:
                    getcurrent().parent.switch()
                finally:
                    _thread.start_new_thread(lambda: (getcurrent(), is_done.release()), ())
                    is_done.acquire()
                    time.sleep(0.05)  # now it has ended
                    seen.append(getcurrent().name)
                    seen.append(greenlet(lambda: getcurrent().parent.name).switch())

            def in_the_thread():
                g = greenlet(wait)
                g.name = "this one"
                g.itself = g
                g.switch()

            thread = threading.Thread(target=in_the_thread)
            thread.start()
            thread.join()
            print(seen)
            """
        ) == "['this one', 'this one']\n"

    def test_one_that_another_thread_starts_while_its_run_is_looked_up(self):
        # It was switched to as if this thread had started it: crash.
        class Contended(greenlet):
            @property
            def run(self):
                if threading.get_ident() == here:
                    looked_up.set()
                    started.wait(30)
                return lambda: getcurrent().parent.switch("suspended")

        def target():
            looked_up.wait(30)
            g.parent = getcurrent()
            results.append(g.switch())
            started.set()
            go_on.wait(30)
            results.append(g.switch("finished"))

        here, results = threading.get_ident(), []
        looked_up, started, go_on = threading.Event(), threading.Event(), threading.Event()
        g = Contended()
        thread = threading.Thread(target=target)
        thread.start()
        with pytest.raises(error, match="Cannot switch to a different thread"):
            g.switch()
        assert results == ["suspended"]
        go_on.set()
        thread.join(30)
        assert results == ["suspended", "finished"]

    def test_refusals_while_the_thread_of_the_greenlet_ends(self):
        # They name its main greenlet, which it lets go of then.
        run_threads(
            """
            import threading, time
            from greenlet import error, getcurrent

            end = time.monotonic() + 1
            others = []

            def come_and_go():
                while time.monotonic() < end:
                    thread = threading.Thread(target=lambda: others.append(getcurrent()))
                    thread.start()
                    thread.join()
                    del others[:-3]

            def switch():
                while time.monotonic() < end:
                    for other in others[:]:
                        try:
                            other.switch()
                        except error as refusal:
                            assert "different thread" in str(refusal), refusal
                        else:
                            raise AssertionError
            """,
            "come_and_go, switch, switch",
        )

    def test_threads_that_would_start_a_greenlet_at_once(self):
        # Where threads do not take turns, each took it for its own because its parent was, at different moments: crash.
        run_threads(
            """
            import sys, threading, time
            from greenlet import error, getcurrent, greenlet

            sys.setswitchinterval(1e-5)
            end = time.monotonic() + 1
            ready = threading.Barrier(3)
            mains, calls, wanted = [], [], []

            def start():
                mains.append(getcurrent())
                ready.wait()
                while time.monotonic() < end:
                    for g in wanted:
                        try:
                            g.switch()
                        except error:
                            pass  # it is of the other thread, or its parent is by now

            def change_parents():
                ready.wait()
                while time.monotonic() < end:
                    started = []
                    wanted[:] = [greenlet(lambda: started.append(None), mains[0])]
                    while not started and time.monotonic() < end:
                        for main in mains:
                            try:
                                wanted[0].parent = main
                            except ValueError:  # it has started
                                break
                    calls.append(started)

            """,
            "start, start, change_parents",
            "assert len(calls) > 1 and all(started == [None] for started in calls[:-1]), calls",
        )

    @pytest.mark.parametrize("attribute, value", [
        ("parent", "greenlet(lambda: None)"),
        ("gr_context", "contextvars.Context()"),
        ("run", "lambda: None"),
        ("__dict__", "{}"),
    ])
    def test_an_attribute_may_be_read_while_another_thread_sets_it(self, attribute, value):
        # Where threads do not take turns, what was read had been freed: crash.
        run_threads(
            f"""
            import contextvars, time
            from greenlet import greenlet

            g = greenlet()
            g.{attribute} = {value}
            end = time.monotonic() + 1

            def read():
                while time.monotonic() < end:
                    for _ in range(100):
                        repr((g, g.{attribute}))

            def change():
                while time.monotonic() < end:
                    for _ in range(100):
                        g.{attribute} = {value}

            """,
            "read, read, change",
        )

    def test_run_is_set_while_another_thread_starts_the_greenlet(self):
        # Of one that had started by then it was taken for the next greenlet that its thread was to kill: crash.
        run_threads(
            """
            import time
            from greenlet import getcurrent, greenlet

            box = [greenlet()]
            end = time.monotonic() + 2

            def starts():
                while time.monotonic() < end:
                    for _ in range(100):
                        g = box[0] = greenlet(lambda: getcurrent().parent.switch())
                        g.switch()
                        del g
                    getcurrent()

            def sets():
                while time.monotonic() < end:
                    for _ in range(100):
                        try:
                            g = box[0]
                            g.run = lambda: getcurrent().parent.switch()
                        except AttributeError:  # it has started
                            pass
                        box[0] = g = greenlet()

            """,
            "starts, sets, sets",
        )

    @pytest.mark.skipif(not IS_FREE_THREADED, reason="threads take turns; `python -m tools stress` does it on all builds")
    def test_threads_may_share_and_drop_each_others_greenlets_at_once(self):
        # One that its thread kills while another is handing it over was once taken for one that can't be killed.
        script = Path(__file__).parent / "stress" / "threads.py"
        done = subprocess.run([sys.executable, str(script), "5"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=250)
        assert done.returncode == 0, done

    def test_ten_thousand_threads_leave_nothing_behind(self):
        script = Path(__file__).parent / "stress" / "many_threads.py"
        number = "2000" if IS_DEBUG_BUILD else "10000"
        done = subprocess.run([sys.executable, str(script), number], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=250)
        assert (done.returncode, done.stderr) == (0, ""), done

    def test_cleanup_at_the_end_can_be_disabled(self):
        events = []

        def run(cell):
            try:
                getcurrent().parent.switch()
            finally:
                events.append("finally")

        def target():
            cell = []
            cell.append(suspended(run, cell))

        package.enable_optional_cleanup(False)
        try:
            assert package.get_clocks_used_doing_optional_cleanup() is None
            gc.disable()
            in_thread(target)
            assert events == []
        finally:
            gc.enable()
            package.enable_optional_cleanup(True)
        assert package.get_clocks_used_doing_optional_cleanup() is not None

    def test_time_spent_on_cleanup_is_reported(self):
        before = package.get_clocks_used_doing_optional_cleanup()
        assert isinstance(before, int) and before >= 0
        assert package.CLOCKS_PER_SEC > 0


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
    # It belongs to the thread, so another greenlet of the thread may take it as well.
    assert lock.acquire(blocking=False)
    lock.release()
    g.switch()
    assert in_thread(lambda: lock.acquire(blocking=False))


def test_thread_locals_are_shared_by_the_greenlets_of_a_thread():
    local = threading.local()
    local.value = "main"
    assert greenlet(lambda: local.value).switch() == "main"
    assert in_thread(lambda: hasattr(local, "value")) is False
