"""A page made from a recording: plain HTML with inline SVG, in one file."""

from __future__ import annotations

import collections
import datetime
import html
import json
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from ._recording import Recording
from ._recording_page_style import STYLE
from ._text import count

COLUMNS = 1000  # of a lane
ROWS = 50  # greenlets that have a row of their own
PAIRS = 15  # pairs of functions that are listed
COLORS = 6  # of threads; their classes are in the style
UNITS = [(1e6, "s"), (1e3, "ms"), (1.0, "µs"), (1e-3, "ns")]  # in microseconds


class Row:
    """What one greenlet did. Times are in microseconds."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.name = function_of(label) or label
        self.number = f" #{number_of(label)}" if function_of(label) else ""
        self.color = 0
        self.runs: list[tuple[float, float]] = []  # begin and duration
        self.switches = 0  # to it
        self.time = 0.0
        self.longest = 0.0

    def add(self, begin: float, duration: float) -> None:
        self.runs.append((begin, duration))
        self.time += duration
        self.longest = max(self.longest, duration)


class Trace(NamedTuple):
    """What the page shows."""

    process: int
    begin: float
    end: float
    rows: list[Row]  # the most active first
    pairs: list[tuple[tuple[str, str], int]]  # how often one function switched to another, the most frequent first
    facts: dict[str, Any]


def page(recording: Recording | str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Make a page of a recording: which greenlets ran, when and for how long.

    It is one file that needs neither a server nor a network, in HTML with inline SVG and without a script.

    Parameters:
        recording: a recording that has ended, or the path of the file that it has written.
        path: of the page, which is replaced if it exists.
    Raises:
        ValueError: the recording is running, or the file is not one that ``record()`` or ``recover()`` has written.
        OSError: a file can't be read or written.
    """
    if isinstance(recording, Recording):
        if recording.switches is None:
            raise ValueError("the recording is running: stop() comes first")
        recording = recording.path
    with open(recording, encoding="utf-8") as file:
        try:
            trace = read(json.load(file))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{os.fspath(recording)} is not a recording of greenlet.inspect") from error
    text = render(trace)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def read(content: dict[str, Any]) -> Trace:
    facts = content["otherData"]
    rows: dict[int, Row] = {}
    names = {e["tid"]: e["args"]["name"] for e in content["traceEvents"] if e["name"] == "thread_name"}
    origins: dict[int, int] = {}
    pairs: collections.Counter[tuple[str, str]] = collections.Counter()
    process, begin, end = 0, float("inf"), 0.0
    for event in content["traceEvents"]:
        number, phase = event["tid"], event["ph"]
        process = event["pid"]
        if phase == "X":
            row = rows.get(number) or rows.setdefault(number, Row(names[number]))
            row.add(event["ts"], event["dur"])
            begin, end = min(begin, event["ts"]), max(end, event["ts"] + event["dur"])
        elif phase == "s":
            origins[event["id"]] = number
        elif phase == "f":
            rows[number].switches += 1
    for event in content["traceEvents"]:
        if event["ph"] == "f":
            pairs[function_of(names[origins[event["id"]]]), function_of(names[event["tid"]])] += 1
    facts["program"], facts["switches"], facts["lost"]  # of our own files only
    threads: dict[str, int] = {}
    for row in rows.values():
        row.color = threads.setdefault(thread_of(row.label), len(threads)) % COLORS
    facts["threads"] = list(threads)
    ordered = sorted(rows.values(), key=lambda row: (-row.time, -row.switches))
    return Trace(process, min(begin, end), end, ordered, pairs.most_common(PAIRS), facts)


def function_of(label: str) -> str:
    return label.rpartition(" #")[0]


def thread_of(label: str) -> str:
    """Return the name of the thread, or "" if there is only one."""
    return label.rpartition(" #")[2].partition(" (")[2].removesuffix(")")


def number_of(label: str) -> str:
    return label.rpartition(" #")[2].partition(" (")[0]


def unit_for(duration: float) -> tuple[float, str]:
    return next(((size, unit) for size, unit in UNITS if duration >= size), UNITS[-1])


def time(duration: float) -> str:
    """Return a duration with three digits, such as "12.3 ms"."""
    size, unit = unit_for(duration)
    number = duration / size
    digits = 0 if number >= 100 or duration == 0 else 1 if number >= 10 else 2
    return f"{number:.{digits}f} {unit}"


def ticks(duration: float) -> Iterable[tuple[float, str]]:
    """Return where the time axis has marks, as fractions, and their texts."""
    if duration <= 0:
        return [(0.0, "0")]
    step = 10.0**-6
    factors = [2.0, 2.5, 2.0]  # 1, 2, 5, 10
    while duration / step > 5:
        step *= factors[0]
        factors = [*factors[1:], factors[0]]
    size, unit = unit_for(duration)
    marks = (i * step for i in range(int(duration / step + 1e-9) + 1))
    return [(mark / duration, f"{round(mark / size, 6):g} {unit}" if mark else "0") for mark in marks]


def lane(runs: list[tuple[float, float]], begin: float, duration: float) -> str:
    """Return paths that show how much of the time, column by column, was taken by the runs."""
    busy = [0.0] * COLUMNS
    width = duration / COLUMNS or 1.0
    for since, length in runs:
        first, last = (since - begin) / width, (since + length - begin) / width
        i = min(int(first), COLUMNS - 1)
        while i < COLUMNS and i <= last:
            # A run is visible even if it is shorter than a column.
            busy[i] += max(min(last, i + 1) - max(first, i), 1e-6)
            i += 1
    paths = collections.defaultdict(list)
    i = 0
    while i < COLUMNS:
        level = min(int(busy[i] * 4) + 1, 4) if busy[i] else 0
        end = i + 1
        while end < COLUMNS and (min(int(busy[end] * 4) + 1, 4) if busy[end] else 0) == level:
            end += 1
        if level:
            paths[level].append(f"M{i} 0h{end - i}v10h{i - end}z")
        i = end
    return "".join(f'<path class="l{level}" d="{"".join(parts)}"/>' for level, parts in sorted(paths.items()))


def render_row(row: Row, trace: Trace, more: str = "") -> str:
    duration = trace.end - trace.begin
    label = html.escape(row.label)
    share = f"{row.time / duration:.1%}" if duration else "–"
    told = f"{label}: {time(row.time)}, {share}, {count(row.switches, 'switch', 'es')}"
    return (
        f'<div class="row{more}"><span class="name" title="{told}"><b>{html.escape(row.name)}</b>'
        f"<span>{row.number}</span></span>"
        f'<svg class="c{row.color}" viewBox="0 0 {COLUMNS} 10" preserveAspectRatio="none" role="img">'
        f"<title>{told}</title>{lane(row.runs, trace.begin, duration)}</svg></div>"
    )


def render_axis(trace: Trace) -> str:
    marks = []
    for place, text in ticks(trace.end - trace.begin):
        side = ' class="end"' if place > 0.93 else ""
        marks.append(f'<span{side} style="left:{place * 100:.2f}%">{text}</span>')
    return f'<div class="row axis"><span></span><div>{"".join(marks)}</div></div>'


def sum_of(rows: list[Row]) -> Row:
    total = Row(f"{count(len(rows), 'other greenlet')}")
    for row in rows:
        total.runs += row.runs
        total.switches += row.switches
        total.time += row.time
        total.longest = max(total.longest, row.longest)
    return total


def render_table(rows: list[Row], duration: float) -> str:
    lines = []
    most = max((row.time for row in rows), default=0.0) or 1.0
    for row in rows:
        share = row.time / duration if duration else 0.0
        lines.append(
            f'<tr><th scope="row">{html.escape(row.name)}<span>{row.number}</span></th><td>{row.switches:,}</td><td>{time(row.time)}</td>'
            f'<td><i class="c{row.color}" style="width:{row.time / most * 100:.2f}%"></i>{share:.1%}</td>'
            f"<td>{time(row.longest)}</td></tr>"
        )
    return (
        "<table><thead><tr><th>Greenlet</th><th>Switches</th><th>Time</th><th>Share</th><th>Longest run</th></tr>"
        f"</thead><tbody>{''.join(lines)}</tbody></table>"
    )


def render_pairs(trace: Trace) -> str:
    if not trace.pairs:
        return ""
    lines = "".join(
        f'<tr><th scope="row">{html.escape(origin)} <span>→</span> {html.escape(target)}</th><td>{number:,}</td></tr>'
        for (origin, target), number in trace.pairs
    )
    return (
        "<h2>Who switched to whom</h2><table><thead><tr><th>From and to</th><th>Switches</th></tr></thead>"
        f"<tbody>{lines}</tbody></table>"
    )


def render_notes(facts: dict[str, Any]) -> str:
    notes = []
    if facts["lost"]:
        notes.append(f"{facts['lost']:,} older switches are lost, because the ring was full.")
    if not facts.get("complete", True):
        notes.append("The process ended before the recording did.")
    return "".join(f'<p class="note">{note}</p>' for note in notes)


def render_threads(threads: list[str]) -> str:
    if len(threads) < 2:
        return ""
    keys = (f'<span><i class="c{i % COLORS}"></i>{html.escape(name)}</span>' for i, name in enumerate(threads))
    return f'<p class="key threads">{"".join(keys)}</p>'


def render(trace: Trace) -> str:
    facts, duration = trace.facts, trace.end - trace.begin
    shown, rest = trace.rows[:ROWS], trace.rows[ROWS:]
    date = datetime.datetime.fromtimestamp(facts.get("begin", 0), datetime.UTC).astimezone()
    summary = " · ".join(
        [
            f"{time(duration)}",
            count(facts["switches"], "switch", "es"),
            count(len(trace.rows), "greenlet"),
            count(len(facts["threads"]), "thread"),
            f"{date:%Y-%m-%d %H:%M:%S}",
        ]
    )
    rows = "".join(render_row(row, trace) for row in shown)
    others = [sum_of(rest)] if rest else []
    rows += "".join(render_row(row, trace, " rest") for row in others)
    title = f"Greenlets of process {trace.process}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>\n"
        f"<h1>{title}</h1><p>{summary}</p>{render_notes(facts)}\n"
        '<h2>When each one ran</h2><p class="key">The most active first. A darker mark: it ran for more of that time. '
        "Time in which a thread waits counts for the greenlet that waits.</p>"
        f"{render_threads(facts['threads'])}"
        f'<div class="chart">{render_axis(trace)}{rows}</div>\n'
        f"<h2>For how long</h2>{render_table(shown + others, duration)}\n"
        f"{render_pairs(trace)}\n</main></body></html>\n"
    )
