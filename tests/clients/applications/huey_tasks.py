"""The tasks of huey_worker.py, which the consumer runs in greenlets. Each counts its runs in Redis."""

import os
import socket
import time

from huey import RedisHuey
from huey.exceptions import TaskLockedException

huey = RedisHuey(url=os.environ["REDIS_URL"])


def count(task) -> int:
    return huey.storage.conn.incr(f"runs-{task.id}")


def descend(levels: int) -> int:
    """Switches *levels* frames deep."""
    if levels:
        return descend(levels - 1) + 1
    time.sleep(0.001)
    return 0


@huey.task(context=True)
def deep(levels, task=None):
    count(task)
    return descend(levels)


@huey.task(context=True)
def looks_up(port, task=None):
    count(task)
    return socket.getaddrinfo("localhost", port, socket.AF_INET, socket.SOCK_STREAM)[0][4][1]


@huey.task(context=True)
def fails(number, task=None):
    count(task)
    raise ValueError(number)


@huey.task(context=True, retries=3, retry_delay=1)
def succeeds_the_second_time(number, task=None):
    if count(task) < 2:
        raise ValueError(number)
    return number


@huey.task(context=True)
def sleeps(seconds, number, task=None):
    count(task)
    time.sleep(seconds)
    return number


@huey.task(context=True, timeout=1)
def runs_over_its_time(number, task=None):
    count(task)
    time.sleep(60)


@huey.task(context=True)
def doubles(number, task=None):
    count(task)
    return number * 2


@huey.task(context=True)
def has_the_lock(number, task=None):
    """Greenlets wait for the lock, and only one holds it at a time."""
    count(task)
    while True:
        try:
            with huey.lock_task("the lock"):
                assert huey.storage.conn.incr("inside") == 1
                time.sleep(0.01)
                huey.storage.conn.decr("inside")
            return number
        except TaskLockedException:
            time.sleep(0.01)
