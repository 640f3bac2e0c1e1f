"""Prints a timing table of one screen: this package and the reference.

usage: python benchmarks/table.py [--rounds N] PYTHON [REFERENCE_PYTHON]

PYTHON and REFERENCE_PYTHON are interpreters of the same version, one with each package (`python -m tools environment`
creates such environments). They are measured in new processes in alternation, so that other work on the machine affects
both. The table shows the medians of the rounds.

Loops are unrolled, so a figure is the operation with its Python call, and almost nothing of the loop.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from time import perf_counter_ns

UNROLLED = 200  # copies of an operation in a loop's body
REPETITIONS = 5  # of each loop in one process, whose figure is their median
SLICE = 15_000_000  # ns per repetition
PARKED = 10_000
DEPTHS = (1, 100, 300)


def loop_of(statement: str, **names):
    """Return a function that takes a count and runs *statement* count * UNROLLED times. *names* are its variables."""
    body = "\n        ".join([statement] * UNROLLED)
    parameters = ", ".join(names)
    source = f"def make({parameters}):\n  def loop(count):\n    for _ in range(count):\n        {body}\n  return loop\n"
    # Locals would be faster than cells by a fraction of a nanosecond, but both packages pay the same.
    namespace: dict = {}
    exec(source, namespace)
    return namespace["make"](**names)


def nanoseconds(loop) -> float:
    """Return the nanoseconds that one statement of *loop* takes."""
    count = 1
    while True:
        start = perf_counter_ns()
        loop(count)
        elapsed = perf_counter_ns() - start
        if elapsed >= SLICE / 4:
            break
        count *= 2
    count = max(1, round(count * SLICE / elapsed))
    figures = []
    for _ in range(REPETITIONS):
        start = perf_counter_ns()
        loop(count)
        figures.append((perf_counter_ns() - start) / (count * UNROLLED))
    return statistics.median(figures)


def switch(depth: int) -> float:
    """Time one switch, one way, with the greenlet *depth* Python frames deep."""
    from greenlet import getcurrent, greenlet

    back = loop_of("switch()", switch=getcurrent().switch)

    def descend(levels):
        if levels > 1:
            descend(levels - 1)
        else:
            while True:
                back(1 << 20)

    partner = greenlet(descend)
    partner.switch(depth)
    return nanoseconds(loop_of("switch()", switch=partner.switch)) / 2


def create_run_die() -> float:
    """Time creating, starting, finishing and freeing a greenlet whose function returns at once."""
    from greenlet import greenlet

    def function():
        pass

    return nanoseconds(loop_of("greenlet(function).switch()", greenlet=greenlet, function=function))


def generator_send() -> float:
    """Time resuming and suspending a native generator, which compares with two switches of a greenlet."""

    def partner():
        while True:
            yield

    running = partner()
    next(running)
    return nanoseconds(loop_of("send(None)", send=running.send))


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def parked_bytes() -> float | None:
    """Return the resident bytes of one of PARKED suspended greenlets."""
    if not os.path.exists("/proc/self/statm"):
        return None
    from greenlet import getcurrent, greenlet

    main = getcurrent()

    def wait():
        main.switch()

    parked = [None] * (PARKED + 1)
    parked[PARKED] = greenlet(wait)
    parked[PARKED].switch()
    before = resident_bytes()
    for i in range(PARKED):
        parked[i] = greenlet(wait)
        parked[i].switch()
    return (resident_bytes() - before) / PARKED


def measure() -> dict[str, float | None]:
    """Return all figures of the package that this interpreter imports."""
    import greenlet

    # Memory is measured first, while the process is small.
    figures = {"version": greenlet.__version__, "parked": parked_bytes()}
    for depth in DEPTHS:
        figures[f"switch {depth}"] = switch(depth)
    figures["create"] = create_run_die()
    figures["send"] = generator_send()
    return figures


def measured_in_turn(pythons: list[str], rounds: int) -> list[dict]:
    """Return the medians of *rounds* new processes of each interpreter."""
    runs: list[list[dict]] = [[] for _ in pythons]
    for number in range(rounds):
        pairs = list(zip(pythons, runs))
        # Every other round reverses the order, so that neither is always first.
        for python, results in pairs if number % 2 == 0 else reversed(pairs):
            if sys.stderr.isatty():
                print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
            output = subprocess.run(
                [python, __file__, "--measure"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
            ).stdout
            results.append(json.loads(output))
    if sys.stderr.isatty():
        print("\r" + " " * 20 + "\r", end="", file=sys.stderr)

    def median(results: list[dict], key: str):
        values = [result[key] for result in results]
        return statistics.median(values) if isinstance(values[0], float) else values[0]

    return [{key: median(results, key) for key in results[0]} for results in runs]


def table(columns: list[dict]) -> str:
    """Return the table, at most 80 columns wide."""
    rows = [(f"switch, one way, {depth} frame{'s' * (depth > 1)} deep", f"switch {depth}", "ns") for depth in DEPTHS]
    rows += [
        ("create + run + die", "create", "ns"),
        (f"memory of a parked greenlet, of {PARKED:,}", "parked", "B"),
        ("generator.send(), there and back", "send", "ns"),
    ]

    def cell(value: float | None, unit: str) -> str:
        if value is None:
            return "-"
        return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"

    heading = f"{'':41}" + "".join(f"{'greenlet ' + column['version']:>16}" for column in columns)
    lines = [heading.rstrip(), ""]
    for title, key, unit in rows:
        line = f"{title:41}" + "".join(f"{cell(column[key], unit):>16}" for column in columns)
        if len(columns) == 2 and key != "send" and columns[0][key] and columns[1][key]:
            # Larger is better for times and for memory.
            line += f"{columns[1][key] / columns[0][key]:>6.1f}x"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pythons", nargs="*", metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure()))
        return
    if not 1 <= len(arguments.pythons) <= 2:
        parser.error("one interpreter, or two to compare")
    columns = measured_in_turn(arguments.pythons, arguments.rounds)
    version = subprocess.run([arguments.pythons[0], "-V"], stdout=subprocess.PIPE, text=True).stdout.strip()
    print(f"{version}, {os.uname().sysname} {os.uname().machine}, medians of {arguments.rounds} processes\n")
    print(table(columns))
    if len(columns) == 2:
        print("\nLast column: how many times as fast, or as small.")


if __name__ == "__main__":
    main()
