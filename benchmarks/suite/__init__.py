"""The benchmark suite: what is measured (switching, spawning, alternatives, clients, memory), and how.

A *row* is one thing that is measured. Its module says how to do it many times (`Row.prepare`); worker.py does it in a
process of its own and takes the time; compare.py has several such processes take turns.
"""

from collections.abc import Callable
from dataclasses import dataclass

# Does an operation so many times.
Loop = Callable[[int], object]

# How many times as fast as the reference a row must be: one number, or a number for some of CPython's minor versions.
Target = float | dict[int, float]


class Unavailable(Exception):
    """A row can not be measured here. The message says why."""


@dataclass(frozen=True)
class Row:
    """One thing that is measured."""

    title: str
    prepare: Callable[[], Loop]
    operations: float = 1  # that a count of one means to the loop; a switch is one way
    target: Target = 1.0
    is_quick: bool = False  # part of `make bench-quick`?
    has_threads: bool = False  # that must wake up for each sample?

    def target_on(self, minor: int) -> float:
        return self.target.get(minor, 1.0) if isinstance(self.target, dict) else self.target
