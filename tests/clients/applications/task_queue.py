"""Code shared by the sessions of task queues: workers are told to end while they work, one after the other."""

from collections.abc import Callable

import psutil
from session import check, figure, kill, resident, tell_to_end


def run_workers(
    noun: str,
    count: int,
    seconds: float,
    start: Callable[[int], psutil.Popen],
    work: Callable[[psutil.Popen, int], None],
    afterwards: Callable[[int], None] = lambda number: None,
) -> None:
    """Start the workers in turn, numbered from 1. Each works, and then has to end within *seconds*."""
    times = []
    for number in range(1, count + 1):
        process = start(number)
        try:
            with check(f"{noun} {number} does its work"):
                work(process, number)
                if number == count:
                    figure(f"resident memory of the {noun}, MiB", round(resident(process), 1))
            with check(f"{noun} {number} ends within {seconds} s"):
                times.append(tell_to_end(process, seconds))
        finally:
            kill(process)
        afterwards(number)
    if times:
        figure("longest shutdown, s", round(max(times), 1))


def check_results(sent: dict[str, list], result_of: Callable, runs_of: Callable) -> None:
    """Check the sent tasks by kind: the result of each, or its class, and its number of runs."""
    for kind, tasks in sent.items():
        with check(kind):
            for task, gives, runs in tasks:
                result = result_of(task)
                assert result == gives or isinstance(gives, type) and isinstance(result, gives), (
                    f"{result!r}, not {gives!r}"
                )
                assert runs_of(task) == runs, f"ran {runs_of(task)} times, not {runs}"
