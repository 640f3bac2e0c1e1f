"""The part of docs/benchmarks.md on what greenlets cost by their number. What was not measured is left out."""

import textwrap

from suite import crowds
from suite.by_number import GENERATORS, GO
from suite.environments import OURS, REFERENCE
from suite.markdown import table, time_of

CONNECTIONS = 10_000
OTHERS = {REFERENCE: "reference", GENERATORS: "generators", GO: "Go"}

RINGS = """
### Around a ring, beside Go

One way, from each of N to the one created next; beside as many goroutines that call `runtime.Gosched()` on one
processor.

{table}
![A switch around a ring against the number of greenlets](plots/ring-against-number.svg)
"""

LIVES = """
To create one, run a function that returns at once, and be rid of it:

{table}"""

SIZES = """
### Memory by number

Of one that waits, `VmRSS` and `VmPTE` together; goroutines after a garbage collection.

{table}
![Bytes of a parked greenlet against the number](plots/memory-against-number.svg)
"""

COLLECTIONS = """
### A full collection by number

`gc.collect()` while N greenlets wait {frames} Python frames deep, with a list of its own in each frame; beside as many
native generators in chains of `yield from` of that depth. All that was there before is frozen. The reference does not
look into frames.

{table}
![A full collection against the number of greenlets](plots/collection-against-number.svg)
"""

TURNS = """
### gevent by number

A turn of one of N greenlets of gevent that call `gevent.sleep(0)`, {frames} Python frames deep.

{table}"""

WALKS = """
### Frames of many

To look at all frames of {number:,} greenlets, {frames} deep each, for the first time (`gr_frame`, then `f_back`); a frame:

{table}"""

THREADS = """
### By number, in threads

Free-threaded CPython {python}: there and back in random order among N of each thread's own. Of two threads it is the
time between round trips of both together.

{table}"""


def content_of(measured: dict, group: str):
    return measured["groups"].get(group, {}).get("content")


def times(label: str, by_label: dict[str, dict]) -> str:
    """A table of one figure a side, and ours as a part of each other's."""
    others = [side for side in OTHERS if any(side in figures for figures in by_label.values())]
    rows = []
    for name, figures in by_label.items():
        ours = figures[OURS]["median"]
        cells = [name, time_of(ours)]
        for side in others:
            median = figures[side]["median"] if side in figures else None
            cells += [time_of(median), f"{ours / median:.2f}"] if median else ["", ""]
        rows.append(cells)
    heads = [label, "this package", *(head for side in others for head in (OTHERS[side], "of its time"))]
    return table(heads, rows)


def times_by_number(content: dict) -> str:
    return times("N", {f"{int(number):,}": figures for number, figures in content.items()})


def sizes_by_side(rows: list[dict]) -> dict[tuple[int, int], dict[str, float]]:
    """Bytes with page tables, by number and frames."""
    found: dict[tuple[int, int], dict[str, float]] = {}
    for row in rows:
        by_side = found.setdefault((row["count"], row["frames"]), {})
        by_side[row["side"]] = row["resident"] + row["page tables"]
    return found


def sizes_table(rows: list[dict]) -> str:
    found = sizes_by_side(rows)
    others = [side for side in OTHERS if any(side in by_side for by_side in found.values())]
    lines = []
    for frames in sorted({frames for _, frames in found}):
        for number in sorted(number for number, deep in found if deep == frames):
            by_side = found[number, frames]
            sides = [by_side.get(side) for side in (OURS, *others)]
            lines.append([f"{number:,}", str(frames), *(f"{size:,.0f} B" if size else "" for size in sides)])
    return table(["N", "frames deep", "this package", *map(OTHERS.get, others)], lines)


def threads_table(content: dict) -> str:
    rows = []
    for number, figures in content.items():
        cells = [f"{int(number):,}"]
        for kind in ("greenlets", "generators"):
            one, two = (figures[f"{kind}, {threads}"]["median"] for threads in (1, 2))
            cells += [time_of(one), time_of(two), f"{one / two:.2f}"]
        rows.append(cells)
    heads = ["one thread", "two threads", "times as many"]
    return table(["N", *heads, *(f"generators, {head}" for head in heads)], rows)


def beside(what: dict[str, float], form) -> str:
    """Ours, and in brackets the reference's and Go's."""
    others = [f"{OTHERS[side]} {form(what[side])}" for side in (REFERENCE, GO) if side in what]
    return form(what[OURS]) + (f" ({', '.join(others)})" if others else "")


def connections(measured: dict) -> str:
    """One sentence: what ten thousand connections cost."""

    def medians(group: str) -> dict[str, float]:
        figures = (content_of(measured, group) or {}).get(str(CONNECTIONS), {})
        return {side: figure["median"] for side, figure in figures.items()}

    sizes = sizes_by_side(content_of(measured, "sizes") or []).get((CONNECTIONS, crowds.FRAMES), {})
    parts = []
    if OURS in sizes:
        megabytes = {side: size * CONNECTIONS / 1e6 for side, size in sizes.items()}
        parts.append(f"take {beside(megabytes, lambda size: f'{size:,.0f} MB')}")
    if switch := medians("numbers"):
        parts.append(f"cost {beside(switch, time_of)} for a switch to one of them and back in random order")
    if collection := medians("collections"):
        parts.append(f"add {beside(collection, time_of)} to each full garbage collection")
    if OURS not in sizes or not parts:
        return ""
    *most, last = parts
    costs = f"{', '.join(most)}, and {last}" if most else last
    sentence = f"{CONNECTIONS:,} connections, each a greenlet that waits {crowds.FRAMES} Python frames deep, {costs}."
    return f"\n{textwrap.fill(sentence, 120)}\n"


def peer(measured: dict) -> str:
    """Which Go it was, or why there is none."""
    found = content_of(measured, "go")
    if not found:
        return ""
    if "version" in found:
        return f"\nGo is {found['version']}.\n"
    return f"\nGo is left out: {found['missing']}.\n"


def sections(everything: list[dict], main: dict) -> str:
    """*everything* is what results.stored() returns, *main* is the one of most groups."""
    parts = []
    if content := content_of(main, "rings"):
        parts += [RINGS.format(table=times_by_number(content)), peer(main)]
    if content := content_of(main, "lives"):
        parts.append(LIVES.format(table=times("", {"create, run and die": content})))
    if content := content_of(main, "sizes"):
        parts.append(SIZES.format(table=sizes_table(content)))
    if content := content_of(main, "collections"):
        parts.append(COLLECTIONS.format(frames=crowds.FRAMES, table=times_by_number(content)))
    if content := content_of(main, "turns"):
        parts.append(TURNS.format(frames=crowds.FRAMES_OF_TURNS, table=times_by_number(content)))
    if content := content_of(main, "walks"):
        walked = times("", {"a frame": content})
        parts.append(WALKS.format(number=crowds.WALKED, frames=crowds.FRAMES, table=walked))
    for measured in everything:
        if content := content_of(measured, "thread-numbers"):
            parts.append(THREADS.format(python=measured["python"], table=threads_table(content)))
    return "".join(parts)
