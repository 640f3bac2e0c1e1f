"""Reference counts and memory must stay level when the same work is repeated.

usage: references.py [PROGRAMS [ROUNDS]]

Runs the scenarios of allocations.py and generated programs (programs.py) in this process: first to warm up, then ROUNDS
times. A debug build of CPython counts all references (sys.gettotalrefcount()), an ordinary build the allocated blocks;
neither may grow from round to round. The exit status is 1 if they did.

A greenlet that survived GreenletExit is kept permanently on purpose. Such survivors are thrown further exceptions here.
If some still remain, the program is skipped.
"""

import contextlib
import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import allocations
import programs
import runtime

import greenlet

FUEL = 300
MOST_EXITS = 6
# The number of references may vary by this much, because of the interpreter's caches (type attributes, specialized
# code).
SLACK = 60


def scenarios() -> None:
    for function in allocations.SCENARIOS.values():
        steps = function(allocations.Witness())
        next(steps)
        next(steps, None)
        allocations.settrace(None)
        del steps


def count() -> int:
    for _ in range(3):
        gc.collect()
    getattr(sys, "_clear_internal_caches", sys._clear_type_cache)()
    return sys.gettotalrefcount() if hasattr(sys, "gettotalrefcount") else sys.getallocatedblocks()


def survivors() -> list[greenlet.greenlet]:
    """Return all suspended greenlets. Weak references would miss garbage, for which the collector has cleared them."""
    return [g for g in gc.get_objects() if isinstance(g, greenlet.greenlet) and g and g.parent is not None]


def execute(source: str) -> bool:
    """Run a program, and end the greenlets that it leaves. Returns whether all have ended."""
    runtime.execute(source, FUEL)
    for _ in range(MOST_EXITS):
        gc.collect()
        left = survivors()
        for g in left:
            with contextlib.suppress(BaseException):
                g.throw()
        if not left:
            return True
        del g, left
    return not survivors()


def growth(work, rounds: int) -> list[int]:
    work()
    work()
    counts = [count()]
    for _ in range(rounds):
        work()
        counts.append(count())
    return [after - before for before, after in zip(counts, counts[1:])]


def main() -> int:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    sys.setrecursionlimit(5000)
    sys.unraisablehook = lambda _: None
    what = "references" if hasattr(sys, "gettotalrefcount") else "blocks"
    codes = [programs.as_source(programs.program(seed)) for seed in range(number)]
    codes = [source for source in codes if execute(source)]

    def generated() -> None:
        for source in codes:
            execute(source)

    failed = False
    for name, work in (("scenarios", scenarios), (f"{len(codes)} programs", generated)):
        grown = growth(work, rounds)
        # Level means that a round did not grow, or that all rounds together grew by very little.
        level = min(grown) <= 0 or sum(grown) <= SLACK
        failed |= not level
        print(
            f"{name}: {what} grew by {', '.join(map(str, grown))} in {rounds} rounds: {'level' if level else 'NOT LEVEL'}",
            flush=True,
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
