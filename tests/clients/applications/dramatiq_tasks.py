"""The actors of dramatiq_worker.py, which the worker runs in greenlets. Each counts its runs in Redis."""

import os
import socket
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import CurrentMessage
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

URL = os.environ["REDIS_URL"]
# Messages that a worker fetched but did not start before it ended return to the queue when its heartbeat is missed. In
# a short session, heartbeats are checked more often than by default, and expire sooner.
broker = RedisBroker(url=URL, heartbeat_timeout=10_000, maintenance_chance=100_000)
broker.add_middleware(Results(backend=RedisBackend(url=URL), store_results=True))
broker.add_middleware(CurrentMessage())
dramatiq.set_broker(broker)


def count() -> int:
    return broker.client.incr(f"runs-{CurrentMessage.get_current_message().message_id}")


def descend(levels: int) -> int:
    """Switches *levels* frames deep."""
    if levels:
        return descend(levels - 1) + 1
    time.sleep(0.001)
    return 0


@dramatiq.actor
def deep(levels):
    count()
    return descend(levels)


@dramatiq.actor
def looks_up(port):
    count()
    return socket.getaddrinfo("localhost", port, socket.AF_INET, socket.SOCK_STREAM)[0][4][1]


@dramatiq.actor(max_retries=0)
def fails(number):
    count()
    raise ValueError(number)


@dramatiq.actor(min_backoff=100, max_backoff=200, max_retries=5)
def succeeds_the_third_time(number):
    if count() < 3:
        raise ValueError(number)
    return number


@dramatiq.actor(max_retries=0)
def sleeps(seconds, number):
    count()
    time.sleep(seconds)
    return number


@dramatiq.actor(max_retries=0, time_limit=1000)
def runs_over_its_time(number):
    count()
    time.sleep(60)


@dramatiq.actor
def doubles(number):
    count()
    return number * 2
