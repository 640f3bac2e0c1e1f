"""Many threads that each end with suspended greenlets: slots, frames and objects must all be released.

usage: many_threads.py [THREADS]        default: 10,000
"""

import ctypes
import gc
import sys
import threading
import weakref

from greenlet import getcurrent, greenlet
from greenlet._greenlet import get_total_main_greenlets

alive: weakref.WeakSet = weakref.WeakSet()


class Local:
    pass


def nested(depth, cell):
    local = Local()
    alive.add(local)
    if depth:
        return nested(depth - 1, cell)
    getcurrent().parent.switch()


def target():
    for _ in range(3):
        cell = []
        cell.append(greenlet(nested))
        cell[0].switch(5, cell)
    held.append(cell[0])  # held by another thread long after this one has ended


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def main() -> int:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    mains = get_total_main_greenlets()
    gc.collect()
    gc.freeze()  # the end of each thread collects garbage, which this makes fast
    measured = []
    for i in range(number):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
        del thread
        if i % 100 == 99:
            held.clear()
        if i + 1 in (number // 2, number):
            held.clear()
            gc.collect()
            measured.append(resident())
    grown = measured[1] - measured[0]
    left = get_total_main_greenlets() - mains
    print(
        f"many_threads: {number} threads, {len(alive)} objects and {left} main greenlets left, "
        f"{grown // 1024} KiB more in the second half"
    )
    keeps_freed_memory = sys.platform != "win32" and hasattr(ctypes.CDLL(None), "__asan_init")
    return bool(len(alive) or left or (grown > 2_000_000 and not keeps_freed_memory))


held: list = []

if __name__ == "__main__":
    sys.exit(main())
