"""Tools that inspect a running process from outside, or at arbitrary times: faulthandler, tracemalloc, timers, py-spy."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.environment import IS_FREE_THREADED
from support.processes import output_of


class TestObservers:
    def test_faulthandler_shows_the_frames_of_the_greenlet_that_runs(self):
        text = output_of(
            """
            import faulthandler, sys
            from greenlet import getcurrent, greenlet

            def inner():
                faulthandler.dump_traceback(sys.stdout)
                getcurrent().parent.switch()

            def outer():
                inner()

            g = greenlet(outer)
            g.switch()
            print("main", flush=True)
            faulthandler.dump_traceback(sys.stdout)
            """
        )
        inside, outside = text.split("main")
        assert "in inner" in inside and "in outer" in inside
        assert "in inner" not in outside and "in <module>" in outside

    def test_tracemalloc_sees_what_greenlets_allocate(self):
        assert (
            output_of(
                """
            import tracemalloc
            from greenlet import getcurrent, greenlet

            def run():
                kept = [bytes(1000) for _ in range(100)]
                getcurrent().parent.switch()

            tracemalloc.start(5)
            before = tracemalloc.get_traced_memory()[0]
            g = greenlet(run)
            g.switch()
            assert tracemalloc.get_traced_memory()[0] - before > 100_000
            del g
            print(tracemalloc.get_traced_memory()[0] - before < 50_000)
            """
            )
            == "True\n"
        )

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no such timers")
    def test_a_timer_may_interrupt_switching_at_any_time(self):
        assert (
            output_of(
                """
            import signal
            from greenlet import getcurrent, greenlet

            ticks = []
            def tick(*_):
                ticks.append(greenlet(lambda: getcurrent().parent).switch() is getcurrent())

            def parrot(value):
                while True:
                    value = getcurrent().parent.switch(value)

            g = greenlet(parrot)
            g.switch(0)
            signal.signal(signal.SIGALRM, tick)
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            number = 0
            while len(ticks) < 100:
                assert g.switch(number) == number
                number += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(all(ticks))
            """
            )
            == "True\n"
        )

    @pytest.mark.skipif(
        shutil.which("py-spy", path=str(Path(sys.executable).parent)) is None,
        reason="py-spy is not installed beside this interpreter",
    )
    @pytest.mark.skipif(
        IS_FREE_THREADED, reason="py-spy does not find the frames of free-threaded builds, without greenlets either"
    )
    def test_py_spy_may_look_while_greenlets_switch(self):
        program = (
            "from greenlet import getcurrent, greenlet\n"
            "def parrot():\n"
            "    while True: getcurrent().parent.switch()\n"
            "g = greenlet(parrot)\n"
            "print('ready', flush=True)\n"
            "while True: g.switch()\n"
        )
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout.readline() == "ready\n"
            spy = str(Path(sys.executable).with_name("py-spy"))
            seen = ""
            for _ in range(5):
                done = subprocess.run(
                    [spy, "dump", "--pid", str(process.pid)], capture_output=True, text=True, timeout=60
                )
                assert process.poll() is None
                seen += done.stdout
            if not seen:
                pytest.skip(f"py-spy can't look: {done.stderr.strip()[-200:]}")
            assert "parrot (<string>" in seen or "<module> (<string>" in seen, done
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
