"""The benchmark suite: its rows (switching, spawning, alternatives, clients, memory), and how they are measured.

A *row* is one measured operation. Its module prepares a loop over the operation (`Row.prepare`), worker.py runs and
times the loop in a process of its own, and compare.py runs several such processes in alternation.
"""

from collections.abc import Callable
from dataclasses import dataclass

# Does an operation the given number of times.
Loop = Callable[[int], object]

# How many times as fast as the reference a row must be: one number, or one for each of some CPython minor versions.
Target = float | dict[int, float]


class Unavailable(Exception):
    """A row can't be measured here. The message says why."""


@dataclass(frozen=True)
class Row:
    """One measured operation."""

    title: str
    prepare: Callable[[], Loop]
    operations: float = 1  # that a count of one means to the loop; a switch is one way
    target: Target = 1.0
    is_quick: bool = False  # part of `make bench-quick`?
    has_threads: bool = False  # that must wake up for each sample?

    def target_on(self, minor: int) -> float:
        return self.target.get(minor, 1.0) if isinstance(self.target, dict) else self.target
