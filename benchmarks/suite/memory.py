"""The memory that greenlets take, read from /proc; each measurement runs in a process of its own.

Figures are bytes of resident memory (VmRSS), and of page tables (VmPTE), which resident memory does not include.
"""

import gc
from typing import NamedTuple

from suite.switching import descend

DEEP = 500 << 10  # bytes of C stack
WAVE = 100  # greenlets that are deep at the same time


class Memory(NamedTuple):
    resident: int
    page_tables: int

    def __sub__(self, other):
        return Memory(self.resident - other.resident, self.page_tables - other.page_tables)


def in_use() -> Memory:
    with open("/proc/self/status") as status:
        sizes = dict(line.split(":", 1) for line in status)
    return Memory(*(int(sizes[name].split()[0]) << 10 for name in ("VmRSS", "VmPTE")))


def park(count: int, frames: int) -> list:
    from greenlet import getcurrent, greenlet

    wait = getcurrent().switch
    parked = [None] * count
    for i in range(count):
        parked[i] = greenlet(descend)
        parked[i].switch(frames, wait)
    return parked


def parked(count: int, frames: int) -> dict[str, float]:
    """Measure *count* greenlets that wait so many frames deep, and what is left when all have finished."""
    park(100, frames)  # allocate what is needed once
    gc.collect()
    before = in_use()
    greenlets = park(count, frames)
    each = in_use() - before
    for greenlet in greenlets:
        greenlet.switch()
    assert not any(greenlets)
    greenlets.clear()
    gc.collect()
    left = in_use() - before
    return {
        "resident": each.resident / count,
        "page tables": each.page_tables / count,
        "left resident": left.resident / count,
        "left page tables": left.page_tables / count,
    }


def died_deep(count: int) -> dict[str, float]:
    """Measure what *count* greenlets leave behind that were deep in C, some at a time, before they finished."""
    import greenlet_benchmark

    from greenlet import getcurrent, greenlet

    wait = getcurrent().switch

    def waves(deep: int, number: int):
        for _ in range(number):
            wave = [greenlet(greenlet_benchmark.call_deep) for _ in range(WAVE)]
            for each in wave:
                each.switch(deep, wait)
            for each in wave:
                each.switch()

    waves(1, 1)
    gc.collect()
    before = in_use()
    waves(DEEP, count // WAVE)
    gc.collect()
    return {"before": before.resident, "after": in_use().resident}


def came_back_from_deep(count: int) -> dict[str, float]:
    """Measure what *count* greenlets keep that were deep in C, came back, and wait again."""
    import greenlet_benchmark

    from greenlet import getcurrent, greenlet

    wait = getcurrent().switch

    def come_and_go():
        greenlet_benchmark.call_deep(1, wait)
        greenlet_benchmark.call_deep(DEEP, wait)
        wait()

    parked = [greenlet(come_and_go) for _ in range(count)]
    for each in parked:
        each.switch()
    gc.collect()
    before = in_use()
    for each in parked:
        each.switch()
    deep = in_use()
    for each in parked:
        each.switch()
    gc.collect()  # lets the package release memory
    after = in_use()
    assert all(parked)
    return {"before": before.resident, "deep": deep.resident, "after": after.resident}
