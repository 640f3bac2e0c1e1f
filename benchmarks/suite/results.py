"""Stores results in build/benchmarks/, one file for each interpreter, and compares them with targets."""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from suite.compare import Figure

FOLDER = Path(__file__).resolve().parent.parent.parent / "build" / "benchmarks"

# Figures that differ by less count as equal: two processes of the same program differ by as much.
SAME = 0.05

# At most this part of the reference's bytes.
RESIDENT_TARGET = 0.72  # one frame deep
TOTAL_TARGETS = {(8192, 1): 1.40, (8192, 30): 1.00, (256, 1): 0.80}  # page tables included, by stack in KiB and frames
KEPT_TARGET = 1.10  # after a deep use, of the resident bytes before it


@dataclass(frozen=True)
class Comparison:
    """A row measured with this package and with the reference."""

    title: str
    ours: Figure
    reference: Figure
    target: float

    @property
    def ratio(self) -> float:
        return self.reference.median / self.ours.median

    @property
    def verdict(self) -> str:
        if self.target > 1:
            return "met" if self.ratio >= self.target else "MISSED"
        if self.ratio >= 1:
            return "faster"
        return "the same" if self.ratio >= 1 - SAME else "SLOWER"


def comparison_from(stored: dict) -> Comparison:
    return Comparison(stored["title"], Figure(**stored["ours"]), Figure(**stored["reference"]), stored["target"])


class Results:
    """The groups that were measured on one interpreter. A group measured again replaces what was there."""

    def __init__(self, python: str, versions: dict[str, dict[str, str]]):
        self.python = python
        self.groups: dict[str, dict] = {}
        self.versions = versions
        path = self._path()
        if path.is_file():
            self.groups = json.loads(path.read_text())["groups"]

    def _path(self) -> Path:
        return FOLDER / f"python{self.python}.json"

    def add(self, group: str, content: object) -> None:
        self.groups[group] = {"date": time.strftime("%Y-%m-%d"), "content": content}
        FOLDER.mkdir(parents=True, exist_ok=True)
        self._path().write_text(
            json.dumps(
                {"python": self.python, "versions": self.versions, "groups": self.groups}, indent=1, default=asdict
            )
        )


def stored() -> list[dict]:
    """Return the results of all files, by interpreter version."""
    files = [json.loads(path.read_text()) for path in FOLDER.glob("python*.json")]
    return sorted(files, key=lambda each: [int(part) for part in each["python"].rstrip("td").split(".")[:2]])


def processor() -> str:
    """Return the system's name for the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def processors() -> int:
    return len(os.sched_getaffinity(0))


def alternatives_checks(minor: int, medians: dict[str, float]) -> list[tuple[str, bool]]:
    """Return the checks of a switch's round trip: sentences, and whether they are true."""
    nesting = 4 if minor == 11 else 10
    round_trip = medians["greenlet, 1 deep"]
    limits = [
        ("twice a generator's send() at depth 1", 2 * medians["generator.send(), 1 deep"]),
        (f"a value through yield from, {nesting} deep", medians[f"generator.send(), {nesting} deep"]),
    ]
    return [
        (f"there and back, {round_trip:.1f} ns: at most {what}, {limit:.1f} ns", round_trip <= limit)
        for what, limit in limits
    ]


def engine_checks(medians: dict[str, float]) -> list[tuple[str, bool]]:
    from suite.engine import PAIRS

    return [
        (
            f"{ours} {medians[ours]:.1f} ns: not slower than {other}, {medians[other]:.1f} ns",
            medians[ours] <= medians[other] * (1 + SAME),
        )
        for ours, other in PAIRS
        if other in medians
    ]


def memory_checks(content: dict) -> list[tuple[str, bool]]:
    parked = {(row["side"], row["count"], row["frames"], row["stack"]): row for row in content["parked"]}
    checks = []
    for (side, count, frames, stack), row in parked.items():
        other = parked.get(("reference", count, frames, 0))
        if side != "ours" or other is None:
            continue
        resident = row["resident"] / other["resident"]
        total = (row["resident"] + row["page tables"]) / (other["resident"] + other["page tables"])
        where = f"{count:,} parked {frames} frame{'s' * (frames > 1)} deep, stacks of {stack} KiB"
        if frames == 1:
            checks.append(
                (
                    f"{where}: resident {resident:.2f} of the reference's, at most {RESIDENT_TARGET}",
                    resident <= RESIDENT_TARGET,
                )
            )
        if target := TOTAL_TARGETS.get((stack, frames)):
            checks.append(
                (f"{where}: with page tables {total:.2f} of the reference's, at most {target:.2f}", total <= target)
            )
    for name, what in (
        ("died deep", "10,000 ran 500 KiB deep and died"),
        ("came back from deep", "1,000 parked came back from 500 KiB deep"),
    ):
        kept = content[name]["ours"]
        ratio = kept["after"] / kept["before"]
        checks.append((f"{what}: resident {ratio:.2f} of before, at most {KEPT_TARGET:.2f}", ratio <= KEPT_TARGET))
    return checks
