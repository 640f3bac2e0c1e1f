"""A process of the benchmark suite: measures one thing, with the package its interpreter imports.

usage: PYTHON benchmarks/worker.py row MODULE TITLE SECONDS
       PYTHON benchmarks/worker.py call MODULE FUNCTION ARGUMENT...

`row` prepares the row of that title, finds out how many operations take so many seconds, and prints "ready". For each
line that it then reads it does them, and prints the time of one operation, in ns. `call` calls a function of a module
of the suite with integers, and prints what it returns. Both print JSON; {"unavailable": WHY} means that it can't be
measured here.
"""

import importlib
import json
import sys
from time import perf_counter_ns


def say(what: object) -> None:
    print(json.dumps(what), flush=True)


def find_count(loop, nanoseconds: float) -> int:
    loop(1)  # warm-up, which is not timed
    count = 1
    while True:
        start = perf_counter_ns()
        loop(count)
        elapsed = perf_counter_ns() - start
        if elapsed >= nanoseconds / 4:
            return max(1, round(count * nanoseconds / elapsed))
        count *= 2


def measure_row(module: str, title: str, seconds: float) -> None:
    row = next(row for row in importlib.import_module(f"suite.{module}").ROWS if row.title == title)
    loop = row.prepare()
    count = find_count(loop, seconds * 1e9)
    say("ready")
    for _ in sys.stdin:
        start = perf_counter_ns()
        loop(count)
        say((perf_counter_ns() - start) / (count * row.operations))


def main() -> None:
    from suite import Unavailable

    what, *arguments = sys.argv[1:]
    try:
        if what == "row":
            measure_row(arguments[0], arguments[1], float(arguments[2]))
        else:
            module = importlib.import_module(f"suite.{arguments[0]}")
            say(getattr(module, arguments[1])(*map(int, arguments[2:])))
    except Unavailable as reason:
        say({"unavailable": str(reason)})


if __name__ == "__main__":
    main()
