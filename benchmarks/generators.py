"""What a value costs: `yield_` at any depth beside `yield from` nested ever deeper.

usage: python benchmarks/generators.py [VALUES]

Each row is a generator whose values come from the innermost of so many nested calls: with `yield_` the calls
are plain ones, with the language's generators each level passes the values on with `yield from`. Nanoseconds a
value, the median of many rounds that take turns, and the line between the two: the nesting from which on
`yield_` is faster.
"""

import statistics
import sys
import time

from greenlet.generators import generator, yield_

DEPTHS = (1, 2, 3, 4, 5, 7, 10, 20)
ROUNDS = 15


def native(values, depth):
    """*values* values, from *depth* nested generators."""
    if depth > 1:
        yield from native(values, depth - 1)
    else:
        for value in range(values):
            yield value


def calls(values, depth):
    if depth > 1:
        calls(values, depth - 1)
    else:
        for value in range(values):
            yield_(value)


greenlets = generator(calls)


def nanoseconds(iterator, values):
    begin = time.perf_counter_ns()
    for _ in iterator:
        pass
    return (time.perf_counter_ns() - begin) / values


def measure(values):
    """Medians of nanoseconds a value, by (function, depth)."""
    samples = {(function, depth): [] for depth in DEPTHS for function in (native, greenlets)}
    for _ in range(ROUNDS):
        for (function, depth), list_ in samples.items():
            list_.append(nanoseconds(function(values, depth), values))
    return {key: statistics.median(list_) for key, list_ in samples.items()}


def line(medians):
    """The smallest nesting from which on `yield_` is faster, or None."""
    faster = [depth for depth in DEPTHS if medians[greenlets, depth] < medians[native, depth]]
    for depth in faster:
        if all(other in faster for other in DEPTHS if other >= depth):
            return depth
    return None


def main():
    values = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    medians = measure(values)
    print(f"CPython {sys.version.split()[0]}, ns a value, medians of {ROUNDS} rounds of {values} values\n")
    print(f"{'nesting':>8} {'yield from':>11} {'yield_':>8}")
    for depth in DEPTHS:
        print(f"{depth:8} {medians[native, depth]:11.1f} {medians[greenlets, depth]:8.1f}")
    print(f"\nyield_ is faster from a nesting of {line(medians)} on")


if __name__ == "__main__":
    main()
