"""Writes the stored results of all suites as the tables of docs/clients.md."""

import json
import re
from pathlib import Path

BEGIN, END = "<!-- results: written by python -m tools clients -->", "<!-- end of results -->"
HEADING = [
    "| suite | client | CPython | tests run | passed, reference | passed, ours | time, reference | time, ours |",
    "|---|---|---|--:|--:|--:|--:|--:|",
]
FIGURES_HEADING = ["| session | CPython | | reference | ours |", "|---|---|---|--:|--:|"]


def _title(result: dict) -> str:
    return f"{result['suite']}, CPython {result['python']}"


def _version(result: dict) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", result["python"])]


def _row(result: dict) -> str:
    reference, ours = result["reference"], result["ours"]
    return (
        f"| {result['suite']} | {result['client']} {result['version']} | {result['python']} "
        f"| {reference['ran']} | {reference['passed']} | {ours['passed']} "
        f"| {reference['seconds']:.0f} s | {ours['seconds']:.0f} s |"
    )


def _figures(result: dict) -> list[str]:
    reference, ours = result["reference"]["figures"], result["ours"]["figures"]
    return [
        f"| {result['suite']} | {result['python']} | {name} | {reference.get(name, '')} | {ours.get(name, '')} |"
        for name in reference | ours
    ]


def _remarks(result: dict) -> list[str]:
    remarks = [f"- {_title(result)}: `{test}` {verdict}" for test, verdict in result["differences"].items()]
    return remarks + [
        f"- {_title(result)}, {package}: {result[package]['stopped']}"
        for package in ("reference", "ours")
        if result[package]["stopped"]
    ]


def _section(heading: list[str], lines: list[str]) -> list[str]:
    return [*heading, *lines, ""] if lines else []


def tables(results: list[dict], missing: list[str]) -> str:
    ran = [result for result in results if "unavailable" not in result]
    lines = _section(HEADING, [_row(result) for result in ran])
    lines += _section(
        ["Tests that passed on the reference and not here, repeated on both:", ""],
        [line for result in ran for line in _remarks(result)],
    )
    lines += _section(
        ["Tests that can't pass here, because `greenlet.aio` does not have what they test:", ""],
        [
            f"- {_title(result)}: `{test}`: {reason}"
            for result in ran
            for test, reason in result.get("can't pass", {}).items()
        ],
    )
    lines += _section(
        ["Not run:", ""],
        [
            f"- {_title(result)}: {result['unavailable'].splitlines()[-1]}"
            for result in results
            if "unavailable" in result
        ]
        + [f"- {suite}: no results of this version are stored here" for suite in missing],
    )
    lines += _section(
        ["### Measured in the sessions", "", *FIGURES_HEADING], [line for result in ran for line in _figures(result)]
    )
    return "\n".join(lines)


def put_between(page: Path, begin: str, end: str, text: str) -> None:
    """Replace the text between the marks *begin* and *end* of *page* by *text*."""
    before, rest = page.read_text().split(begin)
    page.write_text(f"{before}{begin}\n\n{text}{end}{rest.split(end)[1]}")


def write(page: Path, folder: Path, order: list[str]) -> None:
    """Write the results stored in *folder*, of the suites named in *order*, between the marks of *page*."""
    results = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    results = [result for result in results if result["suite"] in order]
    results.sort(key=lambda result: (order.index(result["suite"]), _version(result)))
    missing = [suite for suite in order if suite not in {result["suite"] for result in results}]
    put_between(page, BEGIN, END, tables(results, missing))
