"""Does all operations on greenlets and then ends, so that LeakSanitizer can look for unreferenced memory.

usage: leaks.py [greenlet | value]

LeakSanitizer reports leaks. But the garbage collector's lists refer to all greenlets, so this program counts those that
are left. With an argument, a reference to a greenlet or to a value that was passed to one is never released, which must
be noticed. Random programs (programs.py) run too, except those that leave greenlets which survived GreenletExit,
because these are kept permanently on purpose.
"""

import ctypes
import gc
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import programs
import references

from greenlet import getcurrent, greenlet

PROGRAMS = 60


def wait():
    while True:
        getcurrent().parent.switch(object())


def leaves_survivors(source: str) -> bool:
    child = os.fork()  # in a child process, so that survivors are no leak of this one
    if child == 0:
        os._exit(not references.execute(source))
    return os.waitpid(child, 0)[1] != 0


def leak(what: str) -> None:
    g = greenlet(wait)
    value = g.switch()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(g if what == "greenlet" else value))


def threads_that_end() -> None:
    for _ in range(10):
        thread = threading.Thread(target=lambda: kept.append(greenlet(wait).switch()))
        thread.start()
        thread.join()


kept: list = []


def main() -> int:
    sys.setrecursionlimit(5000)
    sys.unraisablehook = lambda _: None
    references.scenarios()
    for seed in range(PROGRAMS):
        source = programs.as_source(programs.program(seed))
        if not leaves_survivors(source):
            references.execute(source)
    threads_that_end()
    kept.clear()
    for what in sys.argv[1:]:
        leak(what)
    gc.collect()
    left = sum(isinstance(each, greenlet) for each in gc.get_objects()) - 1  # without the main greenlet
    print(f"leaks: {left} greenlets leaked")
    kept.append(greenlet(wait))
    kept[-1].switch()  # suspended to the end
    return left


sys.exit(main())
