"""The application of celery_worker.py: tasks that switch in every way that Celery's green pools support.

Each task counts its runs in Redis.
"""

import os
import socket
import time

from celery import Celery, chord

URL = os.environ["REDIS_URL"]
app = Celery("celery_tasks", broker=URL, backend=URL)
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False, result_extended=True)


class RetryLater(Exception):
    pass


def count(task) -> int:
    return app.backend.client.incr(f"runs-{task.request.id}")


def wait_until_it_says_retry(task) -> None:
    """Celery stores the state RETRY after it enqueues the retry, which would replace a result that is already there."""
    deadline = time.monotonic() + 10
    while app.backend.get_state(task.request.id) != "RETRY":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def descend(levels: int) -> int:
    """Switches *levels* frames deep."""
    if levels:
        return descend(levels - 1) + 1
    time.sleep(0.001)
    return 0


@app.task(bind=True)
def deep(self, levels):
    count(self)
    return descend(levels)


@app.task(bind=True)
def looks_up(self, port):
    """Resolves a name, in gevent's or eventlet's thread pool."""
    count(self)
    return socket.getaddrinfo("localhost", port, socket.AF_INET, socket.SOCK_STREAM)[0][4][1]


@app.task(bind=True)
def fails(self, number):
    count(self)
    raise ValueError(number)


@app.task(bind=True)
def succeeds_the_second_time(self, number):
    if count(self) == 1:
        raise self.retry(exc=RetryLater(number), countdown=0.1)
    wait_until_it_says_retry(self)
    return number


@app.task(bind=True, max_retries=1)
def never_succeeds(self, number):
    if count(self) == 2:
        wait_until_it_says_retry(self)
    raise self.retry(exc=RetryLater(number), countdown=0.1)


@app.task(bind=True)
def sleeps(self, seconds, number):
    count(self)
    time.sleep(seconds)
    return number


@app.task(bind=True)
def adds(self, numbers):
    count(self)
    return sum(numbers)


@app.task(bind=True)
def becomes_a_chord(self, levels):
    count(self)
    raise self.replace(chord([deep.s(level) for level in levels], adds.s()))
