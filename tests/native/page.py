"""The kept results as the table of docs/native-code.md."""

import json
import re
from pathlib import Path

import report

BEGIN, END = "<!-- results: written by tools/test-native -->", "<!-- end of results -->"
HEADING = ["| library | case | CPython | plainly | reference greenlet | here | here, on the thread's stack |",
           "|---|---|---|---|---|---|---|"]


def _version(python: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", python)]


def _row(python: str, result: dict) -> str:
    cells = [result["words"].get(way, "") for way in ("plainly", "reference", "here", "on_thread_stack")]
    mark = "" if result["good"] else "**"
    return (f"| {result['library']} {result['version']}".rstrip() + f" | `{result['case']}` | {python} | {cells[0]} | {cells[1]} "
            f"| {mark}{cells[2]}{mark} | {cells[3]} |")


def _left_out(python: str, left_out: dict[str, str]) -> list[str]:
    """One line a reason."""
    reasons: dict[str, list[str]] = {}
    for case, reason in left_out.items():
        reasons.setdefault(reason, []).append(case)
    return [f"- CPython {python}, {reason}: {', '.join(f'`{case}`' for case in cases)}" for reason, cases in reasons.items()]


def tables(runs: list[dict], order: list[str]) -> str:
    rows = [(order.index(name), _version(run["python"]), _row(run["python"], result))
            for run in runs for name, result in run["cases"].items() if name in order]
    lines = [*HEADING, *(row for _, _, row in sorted(rows)), ""]
    left_out = [line for run in runs for line in _left_out(
        run["python"], {name: reason for name, reason in run["left_out"].items() if name in order})]
    if left_out:
        lines += ["Not run:", "", *left_out, ""]
    return "\n".join(lines)


def write(path: Path, folder: Path, order: list[str]) -> None:
    """Put the results kept in *folder*, of the cases named in *order*, between the marks of the page at *path*."""
    runs = sorted((json.loads(file.read_text()) for file in folder.glob("*.json")), key=lambda run: _version(run["python"]))
    report.put_between(path, BEGIN, END, tables(runs, order))
