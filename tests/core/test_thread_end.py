"""Greenlets when their thread ends."""

import contextvars
import gc
import sys
import threading
import weakref

import pytest
from support.environment import DAEMON_THREADS_END_WELL, IS_DEBUG_BUILD
from support.greenlets import collect, suspended
from support.processes import output_of, output_of_script, stress_script
from support.threads import in_thread

import greenlet as package
from greenlet import _greenlet, getcurrent, greenlet, settrace


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
        assert events in (["finally"], [])  # the interpreter decides which of the two is released first
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
        # Other objects reuse the memory of the freed thread states.
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
        assert (
            output_of(
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
            )
            == "end\n"
        )

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_thread_may_end_inside_a_greenlet(self):
        # The exception goes to the thread's main greenlet as usual, and ends the thread.
        results = []

        def target():
            results.append(greenlet(sys.exit).switch())

        thread = threading.Thread(target=target)
        thread.start()
        thread.join(30)
        assert results == []
        assert in_thread(lambda: greenlet(lambda: "fine").switch()) == "fine"

    def test_what_runs_when_a_thread_ends_belongs_to_it_though_another_one_ends_meanwhile(self):
        # The thread's record was looked up in a dictionary that it had already released, so a second main greenlet was
        # created, to which the running greenlet did not belong.
        assert (
            output_of(
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
            )
            == "['this one', 'this one']\n"
        )

    def test_ten_thousand_threads_leave_nothing_behind(self):
        number = "2000" if IS_DEBUG_BUILD else "10000"
        output_of_script(stress_script("many_threads.py"), number, timeout=250)

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


def test_what_a_thread_owns_may_use_greenlets_when_it_goes():
    class Late:
        def __del__(self):
            ended_in.append(repr(getcurrent()))

    def target():
        contextvars.ContextVar("v").set(Late())
        getcurrent().attribute = Late()
        kept = Late()
        settrace(lambda *_: kept)

    ended_in = []
    before = _greenlet.get_total_main_greenlets()
    for _ in range(3):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
        del thread  # from 3.14 on it keeps the context that the thread ran in
    assert len(ended_in) == 9
    assert all("current active" in text for text in ended_in)
    assert _greenlet.get_total_main_greenlets() == before


def test_a_greenlet_of_an_ended_thread_is_not_unstarted_again():
    def target():
        g = greenlet(lambda: getcurrent().parent.switch())
        g.switch()
        left.append(g)

    left = []
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    g = left.pop()
    assert g.dead and not hasattr(g, "run")
    with pytest.raises(AttributeError):
        del g.run
