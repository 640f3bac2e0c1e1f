"""gevent's thread pools mixed with greenlets: in the pool's threads, across threads, and with short-lived pools.

usage: thread_pool.py SECONDS
"""

import sys
import threading
import time

import gevent
import psutil
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool
from session import check, check_flat, figure, resident

from greenlet import getcurrent, greenlet

SPAWNERS = 50


def ping_pong(rounds: int) -> int:
    """Run raw greenlets in the calling thread."""

    def partner(value):
        while True:
            value = parent.switch(value + 1)

    parent, value = getcurrent(), 0
    other = greenlet(partner)
    for _ in range(rounds):
        value = other.switch(value)
    return value


def left_suspended() -> greenlet:
    """A greenlet that belongs to the pool's thread and is released by another."""
    g = greenlet(lambda: getcurrent().parent.switch())
    g.switch()
    return g


def own_hub(number: int) -> list[int]:
    """A pool's thread that runs greenlets on a hub of its own."""
    try:
        jobs = [gevent.spawn(lambda n: (gevent.sleep(0.001), n)[1], number + n) for n in range(3)]
        gevent.joinall(jobs, raise_error=True)
        return [job.value for job in jobs]
    finally:
        gevent.get_hub().destroy()


def fail(number: int) -> None:
    raise ValueError(number)


class Mix:
    def __init__(self, seconds: float) -> None:
        self.pool = ThreadPool(8)
        gevent.get_hub().NOT_ERROR += (ValueError,)  # do not report the exception of fail()
        self.tasks = 0
        self.end = time.monotonic() + seconds

    def spawner(self, number: int) -> None:
        while time.monotonic() < self.end:
            assert self.pool.apply(ping_pong, (number,)) == number
            assert self.pool.spawn(own_hub, number).get() == [number, number + 1, number + 2]
            held = self.pool.apply(left_suspended)
            assert held and not held.dead
            del held
            try:
                self.pool.apply(fail, (number,))
            except ValueError as error:
                assert error.args == (number,)
            else:
                raise AssertionError("the exception of a pool's task is lost")
            assert sum(self.pool.imap_unordered(ping_pong, [1, 2, 3])) == 6
            self.tasks += 7

    def results_from_threads(self) -> None:
        """Threads outside of any pool wake greenlets of this thread."""
        while time.monotonic() < self.end:
            results = [AsyncResult() for _ in range(4)]
            threads = [threading.Thread(target=result.set, args=(n,)) for n, result in enumerate(results)]
            for thread in threads:
                thread.start()
            assert [result.get(timeout=30) for result in results] == [0, 1, 2, 3]
            for thread in threads:
                thread.join()
            self.tasks += 4

    def short_pools(self) -> None:
        while time.monotonic() < self.end:
            pool = ThreadPool(3)
            assert pool.map(ping_pong, [10, 20, 30]) == [10, 20, 30]
            pool.kill()
            self.tasks += 3


def sample(samples: list[float], end: float) -> None:
    """Runs in a thread of its own, because the greenlets keep each other from running for a long time."""
    process = psutil.Process()
    while time.monotonic() < end:
        samples.append(resident(process))
        time.sleep(1)


def main(seconds: float) -> None:
    mix, samples = Mix(seconds), []
    sampler = threading.Thread(target=sample, args=(samples, mix.end))
    sampler.start()
    jobs = [gevent.spawn(mix.spawner, number) for number in range(SPAWNERS)]
    jobs += [gevent.spawn(mix.results_from_threads), gevent.spawn(mix.short_pools)]
    begin = time.monotonic()
    with check("every task gives its own result"):
        assert len(gevent.joinall(jobs, timeout=seconds + 60, raise_error=True)) == len(jobs)
    figure("tasks/s", round(mix.tasks / (time.monotonic() - begin)))
    sampler.join()
    figure("resident memory, MiB", round(samples[-1], 1))
    check_flat("memory stays flat", samples)


if __name__ == "__main__":
    main(float(sys.argv[1]))
