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


def nanoseconds(value: float) -> str:
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


# Of a process that measures, as worker.py describes.
Command = list[str]


def row(python: Path, module: str, title: str) -> Command:
    """Measures the row of that title in a module of the suite."""
    return [str(python), str(WORKER), "row", module, title]


class Worker:
    """A process that measures a row, in samples of so many seconds. Raises Unavailable if the row is."""

    def __init__(self, command: Command, seconds: float):
        self._name = " ".join(command)
        self._process = subprocess.Popen(
            [*command, str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            self._read()
        except BaseException:
            self.end()
            raise

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with status {self._process.wait()}")
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


def round_of(sides: dict[str, Command], effort: Effort, reverse: bool) -> dict[str, list[float]]:
    """The samples of a fresh process of each side."""
    samples: dict[str, list[float]] = {side: [] for side in sides}
    workers: dict[str, Worker] = {}
    try:
        for side in reversed(sides) if reverse else sides:
            workers[side] = Worker(sides[side], effort.seconds)
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


def alternate(sides: dict[str, Command], effort: Effort) -> dict[str, Figure]:
    """The figures of several sides."""
    samples: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(effort.rounds):
        with contextlib.nullcontext() if effort.threads else on_processor(number):
            for side, values in round_of(sides, effort, reverse=number % 2 == 1).items():
                samples[side] += values
    return {side: Figure.of(values) for side, values in samples.items()}


def alternate_once(sides: dict[str, Command], rounds: int) -> dict[str, Figure]:
    """The figures of several sides that do something once: a number that each prints, from fresh processes in turn."""
    samples: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        with on_processor(number):
            for side in reversed(sides) if number % 2 else sides:
                samples[side].append(printed_by(sides[side]))
    return {side: Figure.of(values) for side, values in samples.items()}


def call(python: Path, module: str, function: str, *arguments: int) -> Command:
    """Prints what a function of a module of the suite returns."""
    return [str(python), str(WORKER), "call", module, function, *map(str, arguments)]


def printed_by(command: Command, environment: dict[str, str] | None = None):
    """The JSON that a process prints. Raises CalledProcessError if it fails, and Unavailable if it says so."""
    output = subprocess.run(
        command, check=True, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ).stdout
    answer = json.loads(output)
    if isinstance(answer, dict) and "unavailable" in answer:
        raise Unavailable(answer["unavailable"])
    return answer
