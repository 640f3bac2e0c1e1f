"""Measures rows in processes that take turns, so that what the machine does meanwhile falls on all of them alike."""

import json
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from suite import Unavailable

WORKER = Path(__file__).resolve().parent.parent / "worker.py"


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int     # fresh processes of each side
    samples: int    # of each process, in turn with those of the other sides
    seconds: float  # that a sample should take


FULL = Effort(rounds=3, samples=15, seconds=0.008)
LONG = Effort(rounds=3, samples=5, seconds=0.1)  # where other threads have to wake up first
QUICK = Effort(rounds=2, samples=12, seconds=0.004)


# A row that can not be done in as little as a sample should take: fewer samples, after so many seconds of a round.
FEWEST_SAMPLES = 3
MOST_SECONDS = 2.0


@dataclass(frozen=True)
class Figure:
    """What an operation takes, in ns."""

    median: float
    low: float     # the fastest sample
    spread: float  # between the quartiles, as a part of the median

    @staticmethod
    def of(samples: list[float]) -> "Figure":
        median = statistics.median(samples)
        first, _, third = statistics.quantiles(samples, n=4)
        return Figure(median, min(samples), (third - first) / median)


class Worker:
    """A process of worker.py. Raises Unavailable if the row is."""

    def __init__(self, python: Path, *arguments: str):
        self._process = subprocess.Popen([python, str(WORKER), *arguments], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
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
        # Killed, because to finish what it has, 50,000 greenlets for example, may take long.
        self._process.kill()
        self._process.communicate()


def alternate(sides: dict[str, tuple[Path, str, str]], effort: Effort) -> dict[str, Figure]:
    """The figures of several sides: each an interpreter, and the module and title of the row it measures."""
    samples: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(effort.rounds):
        workers: dict[str, Worker] = {}
        try:
            for side in (list(sides) if number % 2 == 0 else reversed(sides)):
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
    return {side: Figure.of(values) for side, values in samples.items()}


def memory_of(python: Path, function: str, *arguments: int, environment: dict[str, str] | None = None) -> dict[str, float]:
    """What a function of suite.memory finds, in a process of its own."""
    output = subprocess.run([python, str(WORKER), "memory", function, *map(str, arguments)], check=True,
                            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output)
