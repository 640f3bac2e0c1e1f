"""The end of the process while greenlets are suspended, and fork()."""

import os
import signal
import sys

import pytest
from support.environment import HAS_ADDRESS_SANITIZER
from support.processes import output_of, run_python

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")


class TestExit:
    def test_with_suspended_greenlets(self):
        assert (
            output_of(
                """
            from greenlet import getcurrent, greenlet
            kept = [greenlet(getcurrent().switch) for _ in range(100)]
            for g in kept:
                g.switch()
            print("end")
            """
            )
            == "end\n"
        )

    def test_with_suspended_greenlets_in_cycles(self):
        assert (
            output_of(
                """
            from greenlet import getcurrent, greenlet
            def run(cell):
                me = getcurrent()
                me.parent.switch()
            for _ in range(100):
                cell = []
                cell.append(greenlet(run))
                cell[0].switch(cell)
            print("end")
            """
            )
            == "end\n"
        )

    def test_with_deep_suspended_greenlets(self):
        assert (
            output_of(
                """
            from greenlet import getcurrent, greenlet
            def nested(depth):
                if depth:
                    return list(map(nested, [depth - 1]))
                getcurrent().parent.switch()
            kept = [greenlet(nested) for _ in range(10)]
            for g in kept:
                g.switch(100)
            print("end")
            """
            )
            == "end\n"
        )

    def test_from_inside_a_greenlet_by_sys_exit(self):
        done = run_python("import sys; from greenlet import greenlet; greenlet(sys.exit).switch(7)")
        assert (done.returncode, done.stderr) == (7, "")

    def test_from_inside_a_greenlet_by_os_exit(self):
        done = run_python("import os; from greenlet import greenlet; greenlet(os._exit).switch(7)")
        assert (done.returncode, done.stderr) == (7, "")

    def test_from_inside_a_greenlet_by_an_exception(self):
        done = run_python(
            """
            from greenlet import greenlet
            def run():
                raise LookupError("uncaught")
            greenlet(run).switch()
            """
        )
        assert done.returncode == 1
        assert "LookupError: uncaught" in done.stderr and "in run" in done.stderr

    def test_atexit_functions_may_switch(self):
        assert (
            output_of(
                """
            import atexit
            from greenlet import getcurrent, greenlet
            main = getcurrent()
            g = greenlet(lambda: print("resumed at exit", main.switch()))
            g.switch()
            atexit.register(g.switch, "value")
            atexit.register(lambda: print(greenlet(lambda: "started at exit").switch()))
            """
            )
            == "started at exit\nresumed at exit value\n"
        )

    def test_switches_in_destructors_at_the_very_end_do_no_harm(self):
        done = run_python(
            """
            import sys
            from greenlet import getcurrent, greenlet

            class Late:
                def __del__(self, getcurrent=getcurrent, greenlet=greenlet):
                    try:
                        greenlet(getcurrent).switch()
                    except BaseException:
                        pass

            late = Late()
            sys.late = Late()
            import builtins
            builtins.late = Late()
            g = greenlet(getcurrent().switch)
            g.switch(Late())
            print("end")
            """
        )
        assert (done.returncode, done.stdout) == (0, "end\n"), done

    def test_finally_blocks_of_module_level_greenlets(self):
        # The order in which modules are cleared decides whether they run, but the process must always end normally.
        done = run_python(
            """
            from greenlet import getcurrent, greenlet
            def run():
                try:
                    getcurrent().parent.switch()
                finally:
                    print("finally")
            g = greenlet(run)
            g.switch()
            print("end")
            """
        )
        assert done.returncode == 0 and done.stderr == ""
        assert done.stdout in ("end\n", "end\nfinally\n")

    def test_with_a_tracer(self):
        assert (
            output_of(
                """
            from greenlet import getcurrent, greenlet, settrace
            events = []
            settrace(lambda *args: events.append(args))
            g = greenlet(getcurrent().switch)
            g.switch()
            print("end")
            """
            )
            == "end\n"
        )

    def test_with_threads_that_have_suspended_greenlets(self):
        assert (
            output_of(
                """
            import threading
            from greenlet import getcurrent, greenlet
            kept = []
            def target():
                g = greenlet(getcurrent().switch)
                g.switch()
                kept.append(g)
            threads = [threading.Thread(target=target) for _ in range(10)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            print("end")
            """
            )
            == "end\n"
        )

    @pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
    def test_a_signal_handler_may_switch(self):
        assert (
            output_of(
                """
            import os, signal
            from greenlet import getcurrent, greenlet
            main = getcurrent()
            g = greenlet(lambda: [main.switch(number) for number in range(3)])
            seen = []
            signal.signal(signal.SIGUSR1, lambda *_: seen.append(g.switch()))
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGUSR1)
            print(seen)
            """
            )
            == "[0, 1]\n"
        )

    def test_keyboard_interrupt_in_a_greenlet_reaches_main(self):
        assert (
            output_of(
                """
            import signal
            from greenlet import greenlet
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
            def run():
                signal.raise_signal(signal.SIGINT)
                for _ in range(1000):
                    pass
            try:
                greenlet(run).switch()
            except KeyboardInterrupt:
                print("interrupted")
            """
            )
            == "interrupted\n"
        )


@needs_fork
class TestFork:
    def test_in_a_greenlet(self):
        assert (
            output_of(
                """
            import os, sys
            from greenlet import getcurrent, greenlet
            main = getcurrent()

            def run():
                pid = os.fork()
                main.switch(pid)
                return "finished"

            g = greenlet(run)
            pid = g.switch()
            assert g.switch() == "finished"
            assert greenlet(len).switch("abc") == 3
            if pid == 0:
                os._exit(9)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """
            )
            == "9\n"
        )

    def test_suspended_greenlets_can_be_resumed_in_the_child(self):
        assert (
            output_of(
                """
            import os
            from greenlet import getcurrent, greenlet
            main = getcurrent()
            greenlets = [greenlet(lambda value: main.switch() + value) for _ in range(20)]
            for number, g in enumerate(greenlets):
                g.switch(number)
            pid = os.fork()
            total = sum(g.switch(1) for g in greenlets)
            if pid == 0:
                os._exit(total - 200)
            print(total, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """
            )
            == "210 10\n"
        )

    def test_the_child_may_end_as_usual(self):
        assert (
            output_of(
                """
            import os, sys
            from greenlet import getcurrent, greenlet
            g = greenlet(getcurrent().switch)
            g.switch()
            pid = os.fork()
            if pid == 0:
                sys.exit(3)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """
            )
            == "3\n"
        )

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_while_other_threads_have_greenlets(self):
        done = run_python(
            """
            import gc, os, threading, warnings
            warnings.simplefilter("ignore")
            from greenlet import error, getcurrent, greenlet

            ready, stop, theirs = threading.Event(), threading.Event(), []

            def target():
                g = greenlet(getcurrent().switch)
                g.switch()
                theirs.append(g)
                ready.set()
                stop.wait()

            thread = threading.Thread(target=target)
            thread.start()
            ready.wait()
            mine = greenlet(getcurrent().switch)
            mine.switch()
            pid = os.fork()
            if pid == 0:
                assert mine.switch("resumed") == "resumed"
                try:
                    theirs[0].switch()
                except error:
                    pass
                else:
                    os._exit(1)
                theirs.clear()
                gc.collect()
                inner = threading.Thread(target=lambda: greenlet(len).switch("abc"))
                inner.start()
                inner.join()
                os._exit(0)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            stop.set()
            thread.join()
            print(status)
            """
        )
        assert (done.returncode, done.stdout) == (0, "0\n"), done


@pytest.mark.skipif(sys.platform != "linux", reason="the guard is tested by what Linux does")
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="its qsort() compares so often that the recursion takes forever")
def test_running_off_the_end_of_a_stack_ends_the_process_and_nothing_else():
    done = run_python(
        """
        import ctypes
        from greenlet import greenlet
        libc = ctypes.CDLL(None)
        compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

        # qsort calls back into Python, and that calls qsort again, without the interpreter's own checks in between.
        import sys
        sys.setrecursionlimit(1_000_000)
        array = (ctypes.c_int * 2)(2, 1)

        def run():
            def again(a, b):
                libc.qsort(array, 2, 4, callback)
                return 0
            callback = compare(again)
            libc.qsort(array, 2, 4, callback)

        greenlet(run).switch()
        """,
        timeout=60,
    )
    assert done.returncode in (-signal.SIGSEGV, -signal.SIGABRT, 0, 1)
