"""huey's consumer with greenlets, on Redis: a mixed load with graceful shutdowns. Every task has its result."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
from redis_server import redis_server
from session import wait_until
from task_queue import check_results, run_workers

CONSUMERS = 3
SECONDS_TO_END = 10


def start(number: int) -> psutil.Popen:
    # gevent runs the consumer monkey-patched, which huey leaves to its users.
    return psutil.Popen(
        [
            sys.executable,
            "-m",
            "gevent.monkey",
            Path(sys.executable).parent / "huey_consumer",
            "huey_tasks.huey",
            "--worker-type",
            "greenlet",
            "--workers",
            "16",
            "--graceful-signal",
            "TERM",
            "--max-delay",
            "0.2",
        ],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{Path(__file__).parent}"},
    )


class Load:
    """Send tasks. Returns them by kind, each with its result and its number of runs."""

    def __init__(self) -> None:
        import huey_tasks  # needs the server
        from huey.exceptions import TaskException

        self.tasks, self.error = huey_tasks, TaskException
        self.sent: dict[str, list] = {}

    def send(self, kind: str, count: int, make, gives, runs: int = 1) -> list:
        sent = [(make(), gives, runs) for _ in range(count)]
        self.sent.setdefault(kind, []).extend(sent)
        return sent

    def send_what_ends_soon(self, number: int) -> list:
        tasks = self.tasks
        sent = [
            *self.send("tasks that switch 40 frames deep give their results", 40, lambda: tasks.deep(40), 40),
            *self.send("tasks that look up names do", 5, lambda: tasks.looks_up(number), number),
            *self.send("exceptions come back", 5, lambda: tasks.fails(number), f"ValueError({number})"),
            *self.send("retries succeed", 5, lambda: tasks.succeeds_the_second_time(number), number, runs=2),
            *self.send("tasks with a delay are run", 5, lambda: tasks.sleeps.schedule((0, number), delay=1), number),
            *self.send(
                "timeouts end tasks", 3, lambda: tasks.runs_over_its_time(number), "TaskTimeout('timeout (1s)')"
            ),
            *self.send("a lock is held by one", 5, lambda: tasks.has_the_lock(number), number),
        ]
        pipeline = tasks.huey.enqueue(tasks.doubles.s(number).then(tasks.doubles).then(tasks.doubles))
        for power, result in enumerate(pipeline, 1):
            sent += self.send("pipelines pass results on", 1, lambda result=result: result, number * 2**power)
        return sent

    def send_what_is_under_way(self, number: int) -> list:
        tasks = self.tasks
        return [
            *self.send(
                "tasks that run at the shutdown come to their end", 60, lambda: tasks.sleeps(0.3, number), number
            ),
            *self.send(
                "retries go on after a shutdown", 5, lambda: tasks.succeeds_the_second_time(number), number, runs=2
            ),
            *self.send(
                "delayed tasks wait for the next consumer",
                5,
                lambda: tasks.sleeps.schedule((0, number), delay=2),
                number,
            ),
        ]

    def runs(self, result) -> int:
        return int(self.tasks.huey.storage.conn.get(f"runs-{result.id}") or 0)

    def outcome(self, result):
        """Return the result, the exception as text, or None."""
        try:
            return self.tasks.huey.result(result.id, preserve=True)
        except self.error as error:
            return error.metadata["error"]

    def wait_for(self, sent: list) -> None:
        missing = list(sent)

        def holds():
            # A retried task has the error as its result at first.
            missing[:] = [one for one in missing if self.outcome(one[0]) != one[1]]
            return not missing

        wait_until(holds, 30, "every task has its result")


def run() -> None:
    load = Load()

    def work(process: psutil.Popen, number: int) -> None:
        load.wait_for(load.send_what_ends_soon(number))
        under_way = load.send_what_is_under_way(number)
        wait_until(lambda: any(load.runs(result) for result, *_ in under_way), 10, "tasks run")
        if number == CONSUMERS:
            load.wait_for([one for sent in load.sent.values() for one in sent])

    run_workers("consumer", CONSUMERS, SECONDS_TO_END, start, work)
    check_results(load.sent, load.outcome, load.runs)


if __name__ == "__main__":
    with redis_server() as port:
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        run()
