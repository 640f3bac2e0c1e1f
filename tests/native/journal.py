"""What the process of a case tells its runner: a file with one JSON object a line.

`{"step": ...}` says what comes next, so that a crash can be placed; then follows one of `{"result": ...}`,
`{"raised": ..., "text": ...}` and `{"unavailable": ...}`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

path: Path | None = None


def write(**entry: Any) -> None:
    if path is not None:
        with open(path, "a") as file:
            file.write(json.dumps(entry) + "\n")


def step(name: object) -> None:
    """Say that the case comes to its step *name*."""
    write(step=str(name))


def deepest(function: Callable[[int], Any], most: int, *errors: type[Exception]) -> int:
    """The greatest depth up to *most* at which *function* does not raise RecursionError or one of *errors*."""

    def works(depth: int) -> bool:
        step(depth)
        try:
            function(depth)
        except (RecursionError, *errors):
            return False
        return True

    good, bad = 0, 1
    while bad <= most and works(bad):
        good, bad = bad, 2 * bad
    bad = min(bad, most + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        if works(middle):
            good = middle
        else:
            bad = middle
    return good
