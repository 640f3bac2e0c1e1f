"""The outcomes of a suite's tests, read from the records of a run and compared between two packages."""

import json
from dataclasses import dataclass, field
from pathlib import Path

RANK = {"skipped": 0, "passed": 1, "failed": 2, "crashed": 3}


@dataclass
class Run:
    """One run of a suite on one package."""

    outcomes: dict[str, str] = field(default_factory=dict)  # the worst outcome of each test
    figures: dict[str, str] = field(default_factory=dict)  # measured figures
    seconds: float = 0.0
    stopped: str = ""  # why the run did not complete

    def count(self, *wanted: str) -> int:
        return sum(outcome in wanted for outcome in self.outcomes.values())

    @property
    def ran(self) -> int:
        return len(self.outcomes) - self.count("skipped")

    def as_json(self) -> dict:
        return {
            "seconds": round(self.seconds, 1),
            "ran": self.ran,
            "passed": self.count("passed"),
            "skipped": self.count("skipped"),
            "not_passed": {
                test: outcome for test, outcome in sorted(self.outcomes.items()) if outcome in ("failed", "crashed")
            },
            "figures": self.figures,
            "stopped": self.stopped,
        }


def read(path: Path) -> Run:
    """Read the run recorded in *path* (see record/sitecustomize.py).

    A test that started and did not end has "crashed".
    """
    run, running = Run(), set()
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        try:
            kind, name, *rest = json.loads(line)
        except ValueError:
            continue  # a process was killed while it wrote
        if kind == "figure":
            run.figures[name] = rest[0]
        elif kind == "started":
            running.add(name)
        else:
            running.discard(name)
            run.outcomes[name] = max(run.outcomes.get(name, "skipped"), rest[0], key=RANK.__getitem__)
    run.outcomes |= dict.fromkeys(running, "crashed")
    return run


def differences(reference: Run, ours: Run) -> list[str]:
    """Return the tests that pass on the reference but not on ours, including those that never ran on ours."""
    return sorted(
        test
        for test, outcome in reference.outcomes.items()
        if outcome == "passed" and ours.outcomes.get(test) != "passed"
    )


@dataclass
class Repeats:
    """How often a test failed, in the run that showed the difference and in the repetitions."""

    times: int = 1
    reference: int = 0
    ours: int = 1

    def add(self, reference: Run, ours: Run, test: str) -> None:
        self.times += 1
        # A test that did not run shows nothing about the reference.
        self.reference += reference.outcomes.get(test) in ("failed", "crashed")
        self.ours += ours.outcomes.get(test) != "passed"

    @property
    def is_flaky(self) -> bool:
        """Whether the difference is chance: it did not recur, or the reference fails as well."""
        return self.ours == 1 or self.reference > 0

    def __str__(self) -> str:
        return (
            f"{'flaky' if self.is_flaky else 'DIFFERENT'}: failed {self.ours} of {self.times} times on ours, "
            f"{self.reference} of {self.times} on the reference"
        )
