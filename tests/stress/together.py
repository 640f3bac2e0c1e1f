"""The common part of programs in which threads do random operations at once."""

import faulthandler
import sys
import threading


def run(functions, seconds):
    """Call each function in a thread of its own; they return after *seconds*.

    A deadlock ends the process with tracebacks.
    """
    faulthandler.enable(sys.__stderr__)  # the original, because the program may replace sys.stderr
    faulthandler.dump_traceback_later(seconds * 5 + 60, exit=True, file=sys.__stderr__)
    sys.setswitchinterval(1e-4)
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def report(name, counts, wrong):
    """Print the number of actions, and the errors. Returns the exit status."""
    lock = "unknown" if not hasattr(sys, "_is_gil_enabled") else sys._is_gil_enabled()
    print(*wrong, sep="\n", file=sys.stderr)
    print(f"{name}: {sum(counts)} actions in {len(counts)} threads, {len(wrong)} wrong, GIL: {lock}")
    return bool(wrong)
