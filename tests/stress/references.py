"""Reference counts and memory must be level when the same work is done again and again.

usage: references.py [PROGRAMS [ROUNDS]]

Runs the scenarios of allocations.py, and generated programs (programs.py), in this process: once to warm up, and then ROUNDS
times. A debug build of CPython counts all references there are (sys.gettotalrefcount()), an ordinary one the blocks
of memory in use; neither may grow from round to round. The exit status says whether they did.

A greenlet that survived GreenletExit is kept permanently, on purpose. What a program leaves of that kind is ended here, by further
ones; if that does not help, the program is left out.
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
# Of all references, that many may come and go with caches of the interpreter (type attributes, specialized code).
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
    """All suspended greenlets there are. The collector has cleared weak references to those that it found to be garbage."""
    return [g for g in gc.get_objects() if isinstance(g, greenlet.greenlet) and g and g.parent is not None]


def execute(source: str) -> bool:
    """Runs a program, and ends what is left of it. Says whether all of that has ended."""
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
        # Level: not all of the rounds grew, or by next to nothing.
        level = min(grown) <= 0 or sum(grown) <= SLACK
        failed |= not level
        print(
            f"{name}: {what} grew by {', '.join(map(str, grown))} in {rounds} rounds: {'level' if level else 'NOT LEVEL'}",
            flush=True,
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
