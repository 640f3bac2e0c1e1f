"""The journal that the process of a case writes for its runner: a file with one JSON object a line.

`{"step": ...}` names the next step, so that a crash can be located. The last line is one of `{"result": ...}`,
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
    """Record that the step *name* of the case begins."""
    write(step=str(name))


def deepest(function: Callable[[int], Any], most: int, *errors: type[Exception]) -> int:
    """Return the greatest depth up to *most* at which *function* raises no RecursionError and none of *errors*."""

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
