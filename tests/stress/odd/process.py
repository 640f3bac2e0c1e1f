"""Odd programs about the process: stacks, imports, threads, interpreter exit."""

import contextlib
import ctypes
import gc
import importlib
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings

from stress.odd.common import main, program, raises, suspended

import greenlet as package
from greenlet import getcurrent, greenlet


@program
def imports_that_switch():
    folder = tempfile.mkdtemp()
    sys.path.insert(0, folder)
    with open(os.path.join(folder, "switching_module.py"), "w") as file:
        file.write("from greenlet import getcurrent\nif getcurrent().parent: getcurrent().parent.switch()\nvalue = 1\n")
    g = greenlet(lambda: importlib.import_module("switching_module"))
    other = greenlet(lambda: importlib.import_module("switching_module"))
    g.switch()
    with contextlib.suppress(ImportError):
        other.switch()
    g.switch()
    del g, other
    gc.collect()
    assert importlib.import_module("switching_module").value == 1
    os.remove(os.path.join(folder, "switching_module.py"))


@program
def stacks_of_all_sizes_and_trimming_at_odd_times():
    def deep(depth):
        return deep(depth - 1) if depth else getcurrent().parent.switch()

    def callback(phase, info):
        package.trim_stacks()

    gc.callbacks.append(callback)
    kept = []
    for size in (64 << 10, 1 << 20, 16 << 20, 65 << 10, 1 << 30, 256 << 10) * 5:
        package.stack_size(size)
        kept.append(suspended(deep, 100))
        package.trim_stacks()
        if len(kept) > 7:
            kept.pop(0).switch()
            kept.pop(2)
        gc.collect()
    for size in (0, -1, 1, 1 << 62, "x", None, 2.5):
        with contextlib.suppress(ValueError, TypeError, OverflowError, MemoryError):
            package.stack_size(size)
            suspended()
    gc.callbacks.remove(callback)


@program
def released_while_its_thread_is_in_c_code():
    def work():
        def run():
            try:
                getcurrent().parent.switch()
            finally:
                ended.append(threading.get_ident())

        box.append(suspended(run))
        ready.set()
        greenlet(go_on.wait).switch()
        getcurrent()
        identities.append(threading.get_ident())

    box, ended, identities, ready, go_on = [], [], [], threading.Event(), threading.Event()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    ready.wait()
    time.sleep(0.2)  # until the thread waits; without a GIL it would run the kill at once before
    box.clear()
    gc.collect()
    assert ended == []
    go_on.set()
    thread.join()
    assert ended == identities and len(ended) == 1


@program
def fork_in_a_greenlet_of_another_thread():
    def work():
        def run():
            g = suspended()
            pid = os.fork()
            if pid == 0:
                assert g.switch(1) == 1
                raises(package.error, mains.switch)
                assert suspended().switch(2) == 2
                gc.collect()
                return 0
            return pid

        pid = greenlet(run).switch()
        if pid == 0:
            return
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    warnings.simplefilter("ignore")
    mains, statuses = suspended(), []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert statuses == [0] and mains.switch(3) == 3


@program
def daemon_threads_in_the_middle_of_everything():
    def work():
        def run():
            try:
                while True:
                    suspended().switch(1)
            finally:
                suspended()

        greenlet(run).switch()

    for _ in range(4):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.05)
    kept.extend(suspended() for _ in range(10))


kept: list = []


# C code that recurses deeply may move to a stack of its own, and call Python there.
@program(needs={"makecontext()": hasattr(ctypes.CDLL(None), "makecontext")})
def switches_on_a_stack_that_is_no_greenlets():
    class Stack(ctypes.Structure):
        _fields_ = [("begin", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

    class Context(ctypes.Structure):
        _fields_ = [
            ("flags", ctypes.c_ulong),
            ("next", ctypes.c_void_p),
            ("stack", Stack),
            ("more", ctypes.c_char * 8192),
        ]

    @ctypes.CFUNCTYPE(None)
    def callback():
        results.append(getcurrent().parent.switch())

    def run():
        libc.getcontext(ctypes.byref(there))
        there.stack = Stack(stack, 0, 1 << 20)
        there.next = ctypes.addressof(here)
        libc.makecontext(ctypes.byref(there), callback, 0)
        libc.swapcontext(ctypes.byref(here), ctypes.byref(there))
        return "back"

    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    results = []
    for _ in range(2):  # the first stack usually lies above the stacks of greenlets, the second below
        stack = libc.mmap(None, 1 << 20, 3, 0x22, -1, 0)
        ctypes.memset(stack, 1, 1 << 20)  # as if all of it had been used
        here, there = Context(), Context()
        others = [suspended() for _ in range(10)]
        g = greenlet(run)
        g.switch()
        assert g._stack_saved == 0
        gc.collect()
        package.trim_stacks()
        assert g.switch("value") == "back" and results.pop() == "value"
        assert [other.switch(1) for other in others] == [1] * 10


@program
def the_interpreter_ends_in_a_greenlet():
    # PyRun_SimpleString() ends the process if the code raises SystemExit.
    source = """if True:
        import ctypes, greenlet

        def run():
            suspended = greenlet.greenlet(greenlet.getcurrent().switch)
            suspended.switch()
            ctypes.pythonapi.PyRun_SimpleString(b"import sys; sys.exit(3)")

        greenlet.greenlet(run).switch()
    """
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, ""), done


# CPython's sys._clear_internal_caches() discards machine code.
@program(needs={"a CPython that compiles to machine code": hasattr(sys, "_jit") and sys._jit.is_available()})
def machine_code_goes_while_greenlets_are_in_the_middle_of_it():
    if not sys._jit.is_enabled():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHON_JIT": "1"})

    def hot():
        switch, is_active = getcurrent().parent.switch, sys._jit.is_active
        while True:
            count[is_active()] += 1
            switch()

    def other(number):
        namespace = {}
        exec(f"def f(n):\n total = 0\n for i in range(n):\n  total += i * {number}\n", namespace)
        namespace["f"](5000)

    count = [0, 0]
    greenlets = [suspended(hot) for _ in range(5)]
    for _ in range(3):
        for _ in range(15_000):
            for g in greenlets:
                g.switch()
        sys._clear_internal_caches()
        for number in range(200):
            other(number)
            if number % 50 == 0:
                sys._clear_internal_caches()
                gc.collect()
    for g in greenlets:
        g.switch()
    assert count[True] > 1000, count


@program
def modules_are_gone():
    import greenlet._greenlet as extension

    g = suspended()
    for name in [name for name in sys.modules if name.startswith("greenlet")]:
        del sys.modules[name]
    extension.__dict__.clear()
    package.__dict__.clear()
    gc.collect()
    assert g.switch(1) == 1
    again = importlib.import_module("greenlet")
    assert again.greenlet(len).switch("ab") == 2 and again.getcurrent() is main
    del g
