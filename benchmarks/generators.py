"""Measures what a value costs: `yield_` at some depth, compared with nested `yield from`.

usage: PYTHON benchmarks/generators.py           on the running interpreter, which needs this package
       PYTHON benchmarks/generators.py --page    on each release build found, for docs/generators.md
       PYTHON benchmarks/generators.py --json

Each row is a generator whose values come from the innermost of so many nested calls. With `yield_` these are plain
calls; with native generators each level passes the values on with `yield from`. Prints nanoseconds per value, as
medians of many short rounds in alternation, and the nesting from which on `yield_` is faster.
"""

import json
import statistics
import sys
import time

DEPTHS = (1, 2, 3, 4, 5, 7, 10, 20)
ROUNDS = 101
VALUES = 2_000
NATIVE, OURS = "yield from", "yield_"


def native(values, depth):
    """Yield *values* values from *depth* nested native generators."""
    if depth > 1:
        yield from native(values, depth - 1)
    else:
        for value in range(values):
            yield value


def greenlets():
    """Yield *values* values from *depth* nested calls."""
    from greenlet.generators import generator, yield_

    def calls(values, depth):
        if depth > 1:
            calls(values, depth - 1)
        else:
            for value in range(values):
                yield_(value)

    return generator(calls)


def nanoseconds(iterator):
    begin = time.perf_counter_ns()
    for _ in iterator:
        pass
    return (time.perf_counter_ns() - begin) / VALUES


def measure():
    """Return lists of medians in nanoseconds per value, one for each depth, by the way to yield."""
    functions = {NATIVE: native, OURS: greenlets()}
    samples = {(name, depth): [] for depth in DEPTHS for name in functions}
    for _ in range(ROUNDS):
        for (name, depth), list_ in samples.items():
            list_.append(nanoseconds(functions[name](VALUES, depth)))
    return {name: [statistics.median(samples[name, depth]) for depth in DEPTHS] for name in functions}


def line(medians):
    """Return the smallest nesting from which on `yield_` is faster, or None."""
    found = None
    for depth, native_, ours in zip(DEPTHS, medians[NATIVE], medians[OURS]):
        if ours >= native_:
            found = None
        elif found is None:
            found = depth
    return found


def write_page():
    from suite.pages import measure_everywhere, replace_figures, table

    everywhere = measure_everywhere(__file__)
    heading = ["nested"] + [f"{version} `{name}`" for version in everywhere for name in (NATIVE, OURS)]
    rows = [
        [str(depth)] + [f"{everywhere[version][name][i]:.0f}" for version in everywhere for name in (NATIVE, OURS)]
        for i, depth in enumerate(DEPTHS)
    ]
    lines = ", ".join(f"{line(medians)} on {version}" for version, medians in everywhere.items())
    text = f"{table(heading, rows)}\n\n`yield_` is faster from this nesting on: {lines}."
    replace_figures("generators.md", "benchmarks/generators.py --page", text)
    print(text)


def main():
    match sys.argv[1:]:
        case ["--page"]:
            write_page()
        case ["--json"]:
            print(json.dumps(measure()))
        case []:
            medians = measure()
            print(f"CPython {sys.version.split()[0]}, ns a value, medians of {ROUNDS} rounds of {VALUES} values\n")
            print(f"{'nesting':>8} {NATIVE:>11} {OURS:>8}")
            for i, depth in enumerate(DEPTHS):
                print(f"{depth:8} {medians[NATIVE][i]:11.1f} {medians[OURS][i]:8.1f}")
            print(f"\nyield_ is faster from a nesting of {line(medians)} on")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
