"""Writes the stored results as the table of docs/native-code.md."""

import json
import re
from pathlib import Path

import report

WAYS = ("plainly", "reference", "here", "on_thread_stack")
BEGIN, END = "<!-- results: written by python -m tools native -->", "<!-- end of results -->"
HEADING = [
    "| library | case | CPython | plainly | reference greenlet | here | here, on the thread's stack |",
    "|---|---|---|---|---|---|---|",
]


def _version(python: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", python)]


def _row(result: dict, pythons: list[str]) -> str:
    plainly, reference, here, on_thread_stack = (result["words"].get(way, "") for way in WAYS)
    if not result["good"]:
        here = f"**{here}**"
    cells = [
        f"{result['library']} {result['version']}".rstrip(),
        f"`{result['case']}`",
        ", ".join(pythons),
        plainly,
        reference,
        here,
        on_thread_stack,
    ]
    return f"| {' | '.join(cells)} |"


def _rows(runs: list[dict], order: list[str]) -> list[str]:
    """Return a row for each case, version of its library and outcome. Versions of CPython with equal outcomes share it."""
    libraries = list(dict.fromkeys(name.partition(".")[0] for name in order))
    shared: dict[tuple, list[str]] = {}
    of: dict[tuple, dict] = {}
    for run in runs:
        for name, result in run["cases"].items():
            if name in order:
                key = (
                    libraries.index(name.partition(".")[0]),
                    order.index(name),
                    json.dumps([result["version"], result["words"]]),
                )
                shared.setdefault(key, []).append(run["python"])
                of[key] = result
    keys = sorted(shared, key=lambda key: (*key[:2], _version(shared[key][0])))
    return [_row(of[key], shared[key]) for key in keys]


def _left_out(runs: list[dict], order: list[str]) -> list[str]:
    """Return a line for each reason."""
    cases: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for name, reason in run["left_out"].items():
            if name in order:
                cases.setdefault((run["python"], reason), []).append(f"`{name}`")
    return [f"- CPython {python}, {reason}: {', '.join(names)}" for (python, reason), names in cases.items()]


def tables(runs: list[dict], order: list[str]) -> str:
    lines = [*HEADING, *_rows(runs, order), ""]
    left_out = _left_out(runs, order)
    if left_out:
        lines += ["Not run:", "", *left_out, ""]
    return "\n".join(lines)


def write(path: Path, folder: Path, order: list[str]) -> None:
    """Write the results stored in *folder*, of the cases named in *order*, between the marks of the page at *path*."""
    runs = sorted(
        (json.loads(file.read_text()) for file in folder.glob("*.json")), key=lambda run: _version(run["python"])
    )
    report.put_between(path, BEGIN, END, tables(runs, order))
