"""Writes docs/benchmarks.md and its plots from the results of benchmarks/run.py.

usage: PYTHON benchmarks/report.py   (needs matplotlib; benchmarks/run.py --report creates an environment with it)
"""

import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from suite import by_number_page, results
from suite.markdown import table, time_of
from suite.results import Comparison, comparison_from

DOCS = Path(__file__).resolve().parent.parent / "docs"
COMPARED = {
    "switching": "Switching",
    "spawning": "Creating, running, dying",
    "clients": "In use",
    "web": "In use, a web server",
}

INTRODUCTION = """\
# Benchmarks

This page compares this package with the `greenlet` on PyPI ("the reference"), and with other ways to switch between two
pieces of code. One command measures, and writes this page and its plots:

```
make bench          # everything, half an hour; `make bench-quick` prints the most important rows in two minutes
```

**Method.** Both packages are installed from wheels into virtual environments that are otherwise the same. For each row,
one process of each side runs in alternation on one processor, then two new processes on another: disturbances by the
machine affect both sides. Loops are unrolled, so a figure is the operation with its call from Python, and almost
nothing of the loop. Figures are medians of all samples; *spread* is the interquartile range divided by the median.
*Ratio* is how many times as fast as the reference this package is. Absolute times change from machine to machine and
from hour to hour, so compare the ratios. The code is in `benchmarks/suite/`. `make gate` checks how many instructions a
switch takes.
"""


def ratio_of(row: Comparison) -> str:
    text = f"{row.ratio:.1f} x"
    return f"{text} (target {row.target:g})" if row.verdict == "MISSED" else text


def target_of(found: dict[str, Comparison]) -> str:
    """Return the target of a row, and the versions of Python with a different target."""
    by_target: dict[float, list[str]] = {}
    for python, row in found.items():
        by_target.setdefault(row.target, []).append(".".join(python.split(".")[:2]))
    *others, general = by_target.items()
    return ", ".join([f"{general[0]:g} x", *(f"{target:g} x on {' and '.join(pythons)}" for target, pythons in others)])


def compared(content: list[dict]) -> list[Comparison]:
    return [comparison_from(row) for row in content]


def group(measured: dict, name: str):
    return measured["groups"].get(name, {}).get("content")


def targets(everything: list[dict]) -> str:
    """Return the table of rows that have a target, for all interpreters."""
    columns = [measured for measured in everything if group(measured, "switching")]
    by_title: dict[str, dict[str, Comparison]] = {}
    for measured in columns:
        for name in COMPARED:
            for row in compared(group(measured, name) or []):
                if row.target > 1:
                    by_title.setdefault(row.title, {})[measured["python"]] = row
    rows = [
        [
            title,
            target_of(found),
            *(ratio_of(found[measured["python"]]) if measured["python"] in found else "" for measured in columns),
        ]
        for title, found in by_title.items()
    ]
    return table(["ratio to the reference", "target", *(measured["python"] for measured in columns)], rows)


def comparison(measured: dict, name: str) -> str:
    rows = [
        [
            row.title,
            time_of(row.ours.median),
            f"{row.ours.spread:.0%}",
            time_of(row.reference.median),
            f"{row.reference.spread:.0%}",
            ratio_of(row),
        ]
        for row in compared(group(measured, name))
    ]
    return table(["", "this package", "spread", "reference", "spread", "ratio"], rows)


def checks(sentences: list[tuple[str, bool]]) -> str:
    return "".join(f"- {'Met' if holds else '**Missed**'}: {sentence}.\n" for sentence, holds in sentences)


def alternatives(everything: list[dict]) -> str:
    columns = [measured for measured in everything if group(measured, "alternatives")]
    titles = list(dict.fromkeys(title for measured in columns for title in group(measured, "alternatives")))
    rows = [
        [
            title,
            *(
                time_of(group(measured, "alternatives")[title]["median"])
                if title in group(measured, "alternatives")
                else ""
                for measured in columns
            ),
        ]
        for title in titles
    ]
    text = table(["there and back between two tasks", *(measured["python"] for measured in columns)], rows) + "\n"
    for measured in columns:
        medians = {title: figure["median"] for title, figure in group(measured, "alternatives").items()}
        minor = int(measured["python"].split(".")[1])
        text += f"{measured['python']}:\n\n" + checks(results.alternatives_checks(minor, medians)) + "\n"
    return text


NUMBERS = """\

A switch from the main greenlet to one of N in random order, and back, compared with `__next__()` of as many generators.

{table}

![A switch against the number of greenlets](plots/switch-against-number.svg)

A switch among ten thousand greenlets runs as many instructions as one between two. The time that the processor waits
for memory grows. A switch uses some nine cache lines of a suspended greenlet: two of its object, the others in one page
of its own. The lines of a few hundred greenlets fit into the first two levels of the caches. From a few thousand on,
the lines come from the last level or from memory, and the processor has to look up each page in the page tables,
because its TLB has one or two thousand entries. A generator is smaller, and shares its pages with other objects. The
reference also copies a stack in both directions.
"""


def by_number(content: dict) -> str:
    def ratio(figures, side, other):
        return f"{figures[side]['median'] / figures[other]['median']:.2f}"

    rows = [
        [
            f"{int(number):,}",
            *(time_of(figures[side]["median"]) for side in ("ours", "reference")),
            ratio(figures, "ours", "reference"),
            time_of(figures["generators"]["median"]),
            ratio(figures, "ours", "generators"),
        ]
        for number, figures in content.items()
    ]
    return NUMBERS.format(
        table=table(["N", "this package", "reference", "of its time", "generators", "of their time"], rows)
    )


def memory_rows(rows: list[dict]) -> str:
    return table(
        ["parked", "frames deep", "package", "resident", "page tables", "resident when all have died", "page tables"],
        [
            [
                f"{row['count']:,}",
                str(row["frames"]),
                f"this, stacks of {row['stack']} KiB" if row["stack"] else "reference",
                *(f"{row[key]:,.0f} B" for key in ("resident", "page tables", "left resident", "left page tables")),
            ]
            for row in rows
        ],
    )


def deep_use(content: dict) -> str:
    rows = []
    for key, what in (
        ("died deep", "10,000 ran 500 KiB deep, 100 at a time, and died"),
        ("came back from deep", "1,000 waited, ran 500 KiB deep at once, came back and wait again"),
    ):
        for side, found in content[key].items():
            at_most = f"{found['deep'] / 1e6:,.1f} MB" if "deep" in found else ""
            rows.append(
                [
                    what,
                    "this" if side == "ours" else side,
                    f"{found['before'] / 1e6:,.1f} MB",
                    at_most,
                    f"{found['after'] / 1e6:,.1f} MB",
                ]
            )
    return table(["resident memory of the process", "package", "before", "while deep", "after a full collection"], rows)


def threads(measured: dict) -> str:
    one, two = (figure["median"] for figure in group(measured, "threads").values())
    return (
        f"On free-threaded CPython {measured['python']} one thread switches {1e3 / one:.1f} million times a second, and two at "
        f"once switch {1e3 / two:.1f} million times: {one / two:.2f} times as many.\n"
    )


def environment_of(measured: dict) -> str:
    versions = measured["versions"]
    shared = ", ".join(f"{name} {version}" for name, version in versions["ours"].items() if name != "greenlet")
    dates = sorted({content["date"] for content in measured["groups"].values()})
    reference = f", reference {versions['reference']['greenlet']}" if "reference" in versions else ""
    return (
        f"- CPython {measured['python']}: this package {versions['ours']['greenlet']}{reference}"
        f"{'; ' + shared if shared else ''}; measured {dates[-1]}\n"
    )


def page(everything: list[dict]) -> str:
    main = max(everything, key=lambda measured: len(measured["groups"]))
    parts = [
        INTRODUCTION,
        "\n## Where it was measured\n\n",
        f"{results.processor()}, {results.processors()} processors, Linux {platform.release().split('-')[0]}, {platform.machine()}.\n\n",
        *(environment_of(measured) for measured in everything),
        "\n## The targets, on every version\n\n",
        targets(everything),
        "\n![Time of a switch against depth](plots/switch-against-depth.svg)\n",
        f"\nUnless they say otherwise, the tables below are for CPython {main['python']}.\n",
    ]
    for name, title in COMPARED.items():
        if group(main, name):
            parts += [f"\n## {title}\n\n", comparison(main, name)]
            if name == "spawning":
                parts.append("\n![Create, run and die](plots/spawn.svg)\n")
    numbers = group(main, "numbers")
    others_by_number = by_number_page.sections(everything, main)
    if numbers or others_by_number:
        parts += ["\n## By number\n", by_number_page.connections(main)]
        parts += [by_number(numbers) if numbers else "", others_by_number]
    parts += ["\n## Beside other ways\n\n", alternatives(everything)]
    parts += [f"\n{threads(measured)}" for measured in everything if group(measured, "threads")]
    if figures := group(main, "engine"):
        parts += [
            "\n## The engine alone\n\n"
            "Without Python, compared with Boost.Context and the C library's `ucontext`, measured by Google Benchmark. "
            "A row is one switch, one way, or the start and finish of a stack.\n\n",
            table(["", "time"], [[f"`{name}`", f"{median:.1f} ns"] for name, median in figures.items()]),
            "\n",
            checks(results.engine_checks(figures)),
        ]
    if content := group(main, "memory"):
        parts += [
            "\n## Memory\n\nBytes per greenlet, from `VmRSS` and `VmPTE` in `/proc`.\n\n",
            "![Bytes of a parked greenlet](plots/memory.svg)\n\n",
            memory_rows(content["parked"] + (group(main, "million") or [])),
            "\n",
            deep_use(content),
            "\n",
            'docs/explanation/design.md describes how memory is released: "A greenlet\'s memory".\n\n',
        ]
        for measured in everything:
            if group(measured, "memory"):
                parts += [f"{measured['python']}:\n\n", checks(results.memory_checks(group(measured, "memory"))), "\n"]
    return "".join(parts).rstrip() + "\n"


def main() -> None:
    everything = results.stored()
    if not everything:
        sys.exit("there are no results yet: run make bench")
    from suite import plots

    plots.draw(everything, DOCS / "plots")
    (DOCS / "benchmarks.md").write_text(page(everything), encoding="utf-8")
    print(f"wrote {DOCS / 'benchmarks.md'}")


if __name__ == "__main__":
    main()
