"""What the programs share in which threads do random things at once."""

import faulthandler
import sys
import threading


def run(functions, seconds):
    """Call each function in a thread of its own; they return after so many seconds. A deadlock ends the process, and shows where."""
    faulthandler.enable(sys.__stderr__)  # whatever the program has put in its place
    faulthandler.dump_traceback_later(seconds * 5 + 60, exit=True, file=sys.__stderr__)
    sys.setswitchinterval(1e-4)
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def report(name, counts, wrong):
    """Print how many actions there were, and what was wrong. The exit status."""
    lock = "unknown" if not hasattr(sys, "_is_gil_enabled") else sys._is_gil_enabled()
    print(*wrong, sep="\n", file=sys.stderr)
    print(f"{name}: {sum(counts)} actions in {len(counts)} threads, {len(wrong)} wrong, GIL: {lock}")
    return bool(wrong)
