"""Odd programs about hooks, tracing and signals."""

import _thread
import contextlib
import gc
import signal
import sys
import threading
import time

from stress.odd.common import main, program, suspended

from greenlet import GreenletExit, getcurrent, greenlet


@program(needs={"sys.monitoring": hasattr(sys, "monitoring")})
def monitoring_callbacks_that_switch():
    events = sys.monitoring.events

    def callback(*_):
        sys.monitoring.set_events(3, 0)
        g.switch()
        greenlet(len).switch("")
        sys.monitoring.set_events(3, events.PY_START | events.LINE | events.PY_RETURN | events.CALL)
        return sys.monitoring.DISABLE

    sys.monitoring.use_tool_id(3, "switches")
    for event in (events.PY_START, events.LINE, events.PY_RETURN, events.CALL):
        sys.monitoring.register_callback(3, event, callback)
    g = suspended()
    for _ in range(20):
        with contextlib.suppress(RecursionError):
            sys.monitoring.set_events(3, events.PY_START | events.LINE | events.PY_RETURN | events.CALL)
            suspended().switch(1)
    sys.monitoring.set_events(3, 0)
    sys.monitoring.free_tool_id(3)
    gc.collect()


@program
def opcodes_traced_across_switches():
    def trace(frame, event, argument):
        frame.f_trace_opcodes = True
        if event == "opcode":
            count[0] += 1
            if count[0] % 7 == 0 and getcurrent() is not helper:
                helper.switch()
        return trace

    count = [0]
    helper = suspended()
    greenlets = [suspended() for _ in range(3)]
    sys.settrace(trace)
    for _ in range(5):
        for g in greenlets:
            g.switch(1)
        suspended().throw()
    sys.settrace(None)
    for g in greenlets:
        g.switch(1)


# Without a GIL this crashes CPython 3.13, also without greenlets.
@program(
    needs={
        "threading.settrace_all_threads()": hasattr(threading, "settrace_all_threads"),
        "a GIL": getattr(sys, "_is_gil_enabled", lambda: True)(),
    }
)
def tracing_of_all_threads_changes():
    def work():
        greenlets = [suspended() for _ in range(5)]
        while not stop:
            for g in greenlets:
                g.switch(1)

    stop = []
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(60):
        threading.settrace_all_threads((lambda *_: None) if number % 2 else None)
        threading.setprofile_all_threads((lambda *_: None) if number % 3 else None)
        suspended().switch(1)
    threading.settrace_all_threads(None)
    threading.setprofile_all_threads(None)
    stop.append(True)
    for thread in threads:
        thread.join()


@program
def hooks_that_switch():
    def hook(*_):
        g.switch()
        with contextlib.suppress(BaseException):
            getcurrent().parent.switch("left")

    def fails():
        try:
            getcurrent().parent.switch()
        finally:
            raise ValueError

    g = suspended()
    sys.unraisablehook = sys.excepthook = sys.displayhook = threading.excepthook = hook
    for _ in range(5):
        victim = suspended(fails)
        del victim
    exec(compile("1 + 1", "<odd>", "single"))
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    sys.unraisablehook = sys.__unraisablehook__


@program
def audit_hooks_that_switch():
    def hook(event, arguments):
        if is_on and getcurrent() is not g:
            g.switch(event)

    is_on = []
    g = suspended()
    sys.addaudithook(hook)
    is_on.append(True)
    compile("1", "<odd>", "eval")
    sys._getframe(0)
    gc.get_objects()
    suspended().gr_frame.f_code.replace(co_name="other")
    with contextlib.suppress(OSError):
        open("/does/not/exist")
    is_on.clear()


@program
def signals_that_kill_what_they_interrupt():
    def handler(*_):
        times.append(1)
        if len(times) > 60:
            signal.setitimer(signal.ITIMER_REAL, 0)
        victim[0].throw()
        victim[0] = suspended()
        g = getcurrent()
        if g is not main and len(times) % 3 == 0:
            g.parent.switch("from a signal")

    times, victim = [], [suspended()]
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    while len(times) <= 60:
        with contextlib.suppress(BaseException):
            greenlet(lambda: [suspended().switch(i) for i in range(1000)]).switch()
    signal.setitimer(signal.ITIMER_REAL, 0)


@program
def keyboard_interrupts_from_another_thread():
    def interrupt():
        begin.wait()
        for _ in range(30):
            time.sleep(0.002)
            _thread.interrupt_main()
        time.sleep(0.1)
        done.append(True)

    def handler(*_):
        # Raises only while expected, so that the code after the block below is not interrupted.
        if expected:
            expected.clear()
            raise KeyboardInterrupt

    # A separate function, because CPython 3.13 does not count a loop's jump back as part of the `try` or `with` around
    # it.
    def switch_until_done():
        begin.set()
        greenlets = [suspended() for _ in range(5)]
        while not done:
            for g in greenlets:
                g.switch(1)

    done, begin, expected = [], threading.Event(), []
    thread = threading.Thread(target=interrupt)
    thread.start()
    signal.signal(signal.SIGINT, handler)
    while not done:
        with contextlib.suppress(KeyboardInterrupt, GreenletExit):
            try:
                expected.append(True)
                switch_until_done()
            finally:
                expected.clear()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    thread.join()
