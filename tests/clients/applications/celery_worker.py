"""Celery's worker with a green pool, on Redis: a mixed load with warm shutdowns.

usage: celery_worker.py gevent | eventlet SHUTDOWNS

A worker is told to end while tasks run, wait for their countdown and are queued. The next worker takes over the rest.
In the end every task has its result, and none ran more often than it should.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
from celery.exceptions import TaskRevokedError, TimeLimitExceeded
from celery.states import READY_STATES
from celery.utils import uuid
from redis_server import redis_server
from session import check, wait_until
from task_queue import check_results, run_workers

SECONDS_TO_END = 10
FOR_EVER = 60  # seconds


def start(pool: str, number: int) -> psutil.Popen:
    return psutil.Popen(
        [
            Path(sys.executable).parent / "celery",
            "--app",
            "celery_tasks",
            "--workdir",
            Path(__file__).parent,
            "worker",
            "--pool",
            pool,
            "--concurrency",
            "50",
            "--without-mingle",
            "--loglevel",
            "INFO",
            "--hostname",
            f"worker-{number}@here",
        ],
        stdin=subprocess.DEVNULL,
    )


def wait_until_ready(process: psutil.Popen, control) -> None:
    # The worker listens for commands only after it has reported that it is ready.
    wait_until(lambda: control.ping(timeout=0.5, limit=1) or process.poll() is not None, 30, "the worker answers")
    assert process.poll() is None, "the worker has ended"


class Load:
    """Send tasks. Returns them by kind, each with its result and its number of runs."""

    def __init__(self, pool: str) -> None:
        import celery_tasks  # needs the server

        self.tasks, self.app, self.redis = celery_tasks, celery_tasks.app, celery_tasks.app.backend.client
        self.has_time_limits = pool == "gevent"  # eventlet's pool has none
        self.sent: dict[str, list] = {}

    def send(self, kind: str, count: int, signature, gives, runs: int = 1, **options) -> list[str]:
        sent = [signature.apply_async(**options).id for _ in range(count)]
        self.sent.setdefault(kind, []).extend((task, gives, runs) for task in sent)
        return sent

    def send_what_ends_soon(self, number: int) -> list[str]:
        tasks, revoked = self.tasks, uuid()
        assert self.app.control.revoke(revoked, reply=True, timeout=10, limit=1)
        sent = [
            *self.send(
                "revoked tasks do not run", 1, tasks.sleeps.s(0, number), TaskRevokedError, runs=0, task_id=revoked
            ),
            *self.send("tasks that switch 40 frames deep give their results", 40, tasks.deep.s(40), 40),
            *self.send("tasks that look up names do", 5, tasks.looks_up.s(number), number),
            *self.send("exceptions come back", 5, tasks.fails.s(number), ValueError),
            *self.send("retries succeed", 5, tasks.succeeds_the_second_time.s(number), number, runs=2),
            *self.send("retries come to an end", 2, tasks.never_succeeds.s(number), tasks.RetryLater, runs=2),
            *self.send("tasks with a countdown run", 5, tasks.sleeps.s(0, number), number, countdown=0.5),
            *self.send("chords give the sum", 2, tasks.becomes_a_chord.s([1, 2, 3, 4]), 10, runs=2),
        ]
        if self.has_time_limits:
            sent += self.send(
                "time limits end tasks", 3, tasks.sleeps.s(FOR_EVER, number), TimeLimitExceeded, time_limit=0.5
            )
        ended = self.send("running tasks are terminated", 3, tasks.sleeps.s(FOR_EVER, number), TaskRevokedError)
        wait_until(lambda: all(map(self.runs, ended)), 10, "tasks to terminate run")
        self.app.control.revoke(ended, terminate=True)
        return sent + ended

    def send_what_is_under_way(self, number: int) -> list[str]:
        tasks = self.tasks
        return [
            *self.send("tasks that run at the shutdown come to their end", 80, tasks.sleeps.s(0.3, number), number),
            *self.send("retries go on after a shutdown", 5, tasks.succeeds_the_second_time.s(number), number, runs=2),
            *self.send(
                "tasks with a countdown wait for the next worker", 5, tasks.sleeps.s(0, number), number, countdown=2
            ),
        ]

    def runs(self, task: str) -> int:
        return int(self.redis.get(f"runs-{task}") or 0)

    def has_result(self, task: str) -> bool:
        return self.app.backend.get_state(task) in READY_STATES

    def wait_for(self, tasks: list[str]) -> None:
        wait_until(lambda: all(map(self.has_result, tasks)), 20, "every task has a result")

    def lost(self) -> list[str]:
        """Return the tasks that have neither a result nor a message in the queue."""
        queued = {json.loads(message)["headers"]["id"] for message in self.redis.lrange("celery", 0, -1)}
        return [
            f"{kind}: {task}"
            for kind, sent in self.sent.items()
            for task, *_ in sent
            if task not in queued and not self.has_result(task)
        ]


def run(pool: str, shutdowns: int) -> None:
    load = Load(pool)

    def work(process: psutil.Popen, number: int) -> None:
        wait_until_ready(process, load.app.control)
        load.wait_for(load.send_what_ends_soon(number))
        under_way = load.send_what_is_under_way(number)
        wait_until(lambda: any(map(load.runs, under_way)), 10, "tasks run")
        if number == shutdowns:
            load.wait_for([task for sent in load.sent.values() for task, *_ in sent])

    def check_nothing_is_lost(number: int) -> None:
        with check(f"worker {number} loses nothing"):
            assert not load.lost(), load.lost()

    run_workers("worker", shutdowns, SECONDS_TO_END, lambda number: start(pool, number), work, check_nothing_is_lost)
    check_results(load.sent, load.app.backend.get_result, load.runs)


if __name__ == "__main__":
    with redis_server() as port:
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        run(sys.argv[1], int(sys.argv[2]))
