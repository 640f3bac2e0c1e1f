"""How much memory greenlets take: each in a process of its own, looked up in /proc.

Bytes, resident (VmRSS) and of page tables (VmPTE), which the resident ones do not include.
"""

import gc
from typing import NamedTuple

from suite.switching import descend

DEEP = 500 << 10  # bytes of C stack
WAVE = 100  # greenlets that are so deep at once


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
    """Of *count* greenlets that wait so many frames deep; and what is left when all have finished."""
    park(100, frames)  # what is needed once
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
    """What *count* greenlets leave that were deep in C before they died, some of them at a time."""
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
    """What *count* greenlets keep that were deep in C, came back, and wait again."""
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
    gc.collect()  # the chance to give memory back
    after = in_use()
    assert all(parked)
    return {"before": before.resident, "deep": deep.resident, "after": after.resident}
