"""dramatiq-gevent on Redis: a mixed load with shutdowns. In the end every message has its result."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
from redis_server import redis_server
from session import wait_until
from task_queue import check_results, run_workers

WORKERS = 3
SECONDS_TO_END = 20


def start(number: int) -> psutil.Popen:
    return psutil.Popen(
        [
            Path(sys.executable).parent / "dramatiq-gevent",
            "dramatiq_tasks",
            "--path",
            Path(__file__).parent,
            "--processes",
            "1",
            "--threads",
            "16",
        ],
        stdin=subprocess.DEVNULL,
    )


class Load:
    """Send messages. Returns them by kind, each with its result and its number of runs."""

    def __init__(self) -> None:
        import dramatiq  # needs the server, through the actors
        import dramatiq_tasks
        from dramatiq.results import ResultFailure, ResultMissing

        self.tasks, self.dramatiq = dramatiq_tasks, dramatiq
        self.failure, self.missing = ResultFailure, ResultMissing
        self.sent: dict[str, list] = {}

    def send(self, kind: str, count: int, message, gives, runs: int = 1, delay: int | None = None) -> list:
        sent = [
            self.dramatiq.get_broker().enqueue(
                message.copy(message_id=f"{kind}-{time.monotonic_ns()}-{n}"), delay=delay
            )
            for n in range(count)
        ]
        self.sent.setdefault(kind, []).extend((one, gives, runs) for one in sent)
        return sent

    def send_what_ends_soon(self, number: int) -> list:
        tasks = self.tasks
        sent = [
            *self.send("actors that switch 40 frames deep give their results", 40, tasks.deep.message(40), 40),
            *self.send("actors that look up names do", 5, tasks.looks_up.message(number), number),
            *self.send("exceptions come back", 5, tasks.fails.message(number), "ValueError"),
            *self.send("retries succeed", 5, tasks.succeeds_the_third_time.message(number), number, runs=3),
            *self.send("messages with a delay are run", 5, tasks.sleeps.message(0, number), number, delay=500),
            *self.send("time limits end actors", 3, tasks.runs_over_its_time.message(number), "TimeLimitExceeded"),
        ]
        pipeline = tasks.doubles.message(number) | tasks.doubles.message() | tasks.doubles.message()
        pipeline.run()
        kind = "pipelines pass results on"
        self.sent.setdefault(kind, []).extend(
            (one, number * 2**power, 1) for power, one in enumerate(pipeline.messages, 1)
        )
        return sent + pipeline.messages

    def send_what_is_under_way(self, number: int) -> list:
        return [
            *self.send(
                "actors that run at the shutdown come to their end", 60, self.tasks.sleeps.message(0.3, number), number
            ),
            *self.send(
                "retries go on after a shutdown", 5, self.tasks.succeeds_the_third_time.message(number), number, runs=3
            ),
            *self.send(
                "delayed messages wait for the next worker", 5, self.tasks.sleeps.message(0, number), number, delay=2000
            ),
        ]

    def runs(self, message) -> int:
        return int(self.tasks.broker.client.get(f"runs-{message.message_id}") or 0)

    def outcome(self, message):
        """Return the result, the name of the exception, or None."""
        try:
            return message.get_result()
        except self.failure as failure:
            return failure.orig_exc_type
        except self.missing:
            return None

    def wait_for(self, messages: list, seconds: float = 30) -> None:
        missing = list(messages)

        def holds():
            missing[:] = [message for message in missing if self.outcome(message) is None]
            return not missing

        wait_until(holds, seconds, "every message has a result")


def run() -> None:
    load = Load()

    def work(process: psutil.Popen, number: int) -> None:
        load.wait_for(load.send_what_ends_soon(number))
        under_way = load.send_what_is_under_way(number)
        wait_until(lambda: any(map(load.runs, under_way)), 10, "actors run")
        if number == WORKERS:
            load.wait_for([message for sent in load.sent.values() for message, *_ in sent], seconds=60)

    run_workers("worker", WORKERS, SECONDS_TO_END, start, work)
    check_results(load.sent, load.outcome, load.runs)


if __name__ == "__main__":
    with redis_server() as port:
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        run()
