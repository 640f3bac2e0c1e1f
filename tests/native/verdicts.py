"""The outcomes of the calls of a case, and whether they are good."""

import json
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from case import Case, as_deep


@dataclass
class Outcome:
    """The outcome of one call."""

    kind: str  # "result", "raised", "crashed", "timed out", "not available"
    value: Any = None  # of a result
    text: str = ""  # the exception's type, or the signal's name
    detail: str = ""  # the exception's text
    step: str = ""  # the last step that began
    seconds: float = 0.0

    def as_json(self) -> dict:
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}


def read(journal: Path, status: int | None) -> Outcome:
    """Return the outcome of a process that ended with *status*, which is None if it ran out of time."""
    entries: dict[str, Any] = {}
    for line in journal.read_text().splitlines() if journal.is_file() else []:
        entries |= json.loads(line)
    step = entries.get("step", "")
    if status is None:
        return Outcome("timed out", step=step)
    if status < 0:
        return Outcome("crashed", text=signal.Signals(-status).name, step="the end" if "result" in entries else step)
    if "raised" in entries:
        return Outcome("raised", text=entries["raised"], detail=entries["text"], step=step)
    if "unavailable" in entries:
        return Outcome("not available")
    if status > 0 or "result" not in entries:
        return Outcome("crashed", text=f"exit status {status}", step=step)
    return Outcome("result", value=entries["result"])


def depth(value: int | list[int]) -> str:
    return f"{min(value)} to {max(value)}" if isinstance(value, list) else str(value)


@dataclass
class Result:
    """The outcomes of a case, for each way of calling it."""

    case: Case
    outcomes: dict[str, Outcome]

    def works(self, way: str) -> bool:
        plainly, outcome = self.outcomes["plainly"], self.outcomes.get(way)
        return (
            outcome is not None
            and plainly.kind == outcome.kind == "result"
            and self.case.same(plainly.value, outcome.value)
        )

    @property
    def is_good(self) -> bool:
        """Whether a case that works plainly works here, or on the thread's stack if the case allows that."""
        return not self.works("plainly") or self.works("here") or self.works("on_thread_stack")

    def describe(self, way: str) -> str:
        """Describe the outcome in a few words."""
        outcome = self.outcomes.get(way)
        if outcome is None:
            return ""
        if outcome.kind == "result":
            if self.case.same is as_deep:
                return depth(outcome.value)
            return "works" if self.works(way) else "another result"
        place = f" at {outcome.step}" if outcome.step and outcome.kind != "raised" else ""
        return (outcome.text or outcome.kind) + place
