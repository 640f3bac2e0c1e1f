"""Measures rows in processes that run in alternation, so that other work on the machine affects all sides equally."""

import contextlib
import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from suite import Unavailable

WORKER = Path(__file__).resolve().parent.parent / "worker.py"


@dataclass(frozen=True)
class Effort:
    """The number and length of samples."""

    rounds: int  # new processes of each side
    samples: int  # of each process, alternating with the other sides
    seconds: float  # length of a sample
    threads: bool = False  # does the row have several that should run at once?


FULL = Effort(rounds=3, samples=15, seconds=0.008)
LONG = Effort(rounds=3, samples=5, seconds=0.1, threads=True)  # other threads have to wake up first
WARM = Effort(rounds=3, samples=7, seconds=0.15)  # the caches are filled with what the other side used
WARM_QUICK = Effort(rounds=2, samples=5, seconds=0.1)
QUICK = Effort(rounds=2, samples=12, seconds=0.004)


# If an operation takes longer than a sample should, a round ends after so many seconds with fewer samples.
FEWEST_SAMPLES = 3
MOST_SECONDS = 4.0


@dataclass(frozen=True)
class Figure:
    """The time of an operation, in ns."""

    median: float
    low: float  # the fastest sample
    spread: float  # interquartile range, divided by the median

    @staticmethod
    def of(samples: list[float]) -> "Figure":
        median = statistics.median(samples)
        first, _, third = statistics.quantiles(samples, n=4)
        return Figure(median, min(samples), (third - first) / median)


class Worker:
    """A process of worker.py. Raises Unavailable if the row is."""

    def __init__(self, python: Path, *arguments: str):
        self._process = subprocess.Popen(
            [python, str(WORKER), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            self._read()
        except BaseException:
            self.end()
            raise

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{WORKER.name} ended with status {self._process.wait()}")
        answer = json.loads(line)
        if isinstance(answer, dict) and "unavailable" in answer:
            raise Unavailable(answer["unavailable"])
        return answer

    def sample(self) -> float:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def end(self) -> None:
        # Killed, because finishing, for example, 50,000 greenlets may take long.
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def on_processor(number: int):
    """Pin this process and its children to one processor, chosen by the number.

    Otherwise each side would stay on a processor of its own, and one of them may be slower: a virtual machine does not
    show what else runs on its processors.
    """
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(processors)[number % len(processors)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, processors)


def round_of(sides: dict[str, tuple[Path, str, str]], effort: Effort, reverse: bool) -> dict[str, list[float]]:
    """Return the samples of a new process of each side."""
    samples: dict[str, list[float]] = {side: [] for side in sides}
    workers: dict[str, Worker] = {}
    try:
        for side in reversed(sides) if reverse else sides:
            python, module, title = sides[side]
            workers[side] = Worker(python, "row", module, title, str(effort.seconds))
        start = time.monotonic()
        for done in range(effort.samples):
            if done >= FEWEST_SAMPLES and time.monotonic() - start > MOST_SECONDS:
                break
            for side, worker in workers.items():
                samples[side].append(worker.sample())
    finally:
        for worker in workers.values():
            worker.end()
    return samples


def alternate(sides: dict[str, tuple[Path, str, str]], effort: Effort) -> dict[str, Figure]:
    """Return the figures of several sides: each is an interpreter, and the module and title of the row it measures."""
    samples: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(effort.rounds):
        with contextlib.nullcontext() if effort.threads else on_processor(number):
            for side, values in round_of(sides, effort, reverse=number % 2 == 1).items():
                samples[side] += values
    return {side: Figure.of(values) for side, values in samples.items()}


def memory_of(
    python: Path, function: str, *arguments: int, environment: dict[str, str] | None = None
) -> dict[str, float]:
    """Return the result of a function of suite.memory, called in a process of its own."""
    output = subprocess.run(
        [python, str(WORKER), "memory", function, *map(str, arguments)],
        check=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return json.loads(output)
