"""Runs the same random programs on this package and on the reference, and compares their logs.

usage: differential.py --reference FOLDER [--ours FOLDER] [--seed N] [--programs N | --seconds N] [--keep FOLDER]

FOLDER is put on PYTHONPATH, so that `import greenlet` finds the implementation. Without --ours the package of
the running interpreter's environment is used. A program whose logs differ, or that crashes or hangs this
package, is reduced as far as it still does, and printed.
"""

import argparse
import difflib
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import programs

BATCH = 100
LOGS = 16  # runs of the same program that must have the same log


class Side:
    """One implementation."""

    def __init__(self, name: str, folder: str | None, wrapper: list[str]):
        self.name = name
        self.command = [*wrapper, sys.executable, str(HERE / "worker.py")]
        self.environment = dict(
            os.environ,
            PYTHONHASHSEED="0",
            # The size of the main greenlet's stack, because programs nest deeply.
            GREENLET_STACK_SIZE=str(8 << 20),
        )
        self.server = None
        if folder is not None:
            self.environment["PYTHONPATH"] = folder

    def start(self, first: int, number: int) -> subprocess.Popen:
        return subprocess.Popen(
            [*self.command, str(first), str(number)],
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def results(self, process: subprocess.Popen) -> dict[int, tuple[int, str]]:
        """Return {seed: (operations, digest)}; a crash or a hang counts as a digest."""
        output, errors = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"{self.name}: exit code {process.returncode}\n{errors}")
        words = (line.split(maxsplit=2) for line in output.splitlines())
        return {int(seed): (int(operations), digest) for seed, operations, digest in words}

    def log(self, program: list) -> list[str]:
        if self.server is None:
            self.server = subprocess.Popen(
                self.command,
                env=self.environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        self.server.stdin.write(json.dumps(program) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline()) or ["no log"]


def crashed(log: list[str]) -> bool:
    """Return whether a program ended abnormally.

    A cycle of parents counts, because a switch to a dead greenlet in it hangs.
    """
    return log[0] in ("hang", "cycle of parents") or log[0].startswith("exit code ")


def is_comparable(log: list[str]) -> bool:
    """Return False if CPython delayed deeply nested deallocations, or came close: see program_classes.py."""
    return log[0] != "nested deallocations"


def differ(ours: Side, reference: Side, program: list, kind: str) -> bool:
    """Return whether both sides (still) differ in the same way."""
    mine = ours.log(program)
    if crashed(mine):
        return kind == "crash"
    if kind == "crash":
        return False
    theirs = reference.log(program)
    return mine != theirs and not crashed(theirs) and is_comparable(mine) and is_comparable(theirs)


def shrink(ours: Side, reference: Side, program: list, kind: str, seconds: float) -> list:
    limit = time.monotonic() + seconds
    tried = 0  # parts tried since one was last removed
    place = 0
    while True:
        candidate = next(itertools.islice(programs.smaller(program), place, None), None)
        if candidate is None:
            if place == 0 or tried >= place:
                return program
            place = 0
        elif time.monotonic() > limit:
            return program
        elif differ(ours, reference, candidate, kind):
            program = candidate
            tried = 0
        else:
            place += 1
            tried += 1


def report(seed: int, ours: Side, reference: Side, seconds: float, keep: Path | None) -> bool:
    """Reduce and print a program. Returns False if only the reference differs between its own runs."""
    program = programs.program(seed)
    kind = "crash" if crashed(ours.log(program)) else "difference"
    if kind == "difference":
        for side in (ours, reference):
            logs = [side.log(program) for _ in range(LOGS)]
            if any(log != logs[0] for log in logs):
                print(f"seed {seed}: {side.name} does not log the same each time", flush=True)
                return side is ours
    if not differ(ours, reference, program, kind):
        print(f"seed {seed}: the {kind} did not recur", flush=True)
        return kind == "crash"
    print(f"seed {seed}: a {kind}, reducing it", flush=True)
    program = shrink(ours, reference, program, kind, seconds)
    mine, theirs = ours.log(program), reference.log(program)
    source = programs.as_source(program).splitlines()
    print(f"--- seed {seed}: {kind}", *source[:80], sep="\n")
    lines = list(difflib.unified_diff(theirs, mine, reference.name, ours.name, lineterm="", n=6))
    print("\n".join(line[:300] for line in lines[:60]), flush=True)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{seed}.json").write_text(json.dumps(program))
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", required=True, metavar="FOLDER")
    parser.add_argument("--ours", metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--programs", type=int, default=10**9)
    parser.add_argument("--operations", type=int, default=10**12, help="stop after so many")
    parser.add_argument("--seconds", type=float, default=10**9)
    parser.add_argument("--shrink", type=float, default=60, metavar="SECONDS")
    parser.add_argument("--failures", type=int, default=3, help="stop after so many")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="store the reduced programs here")
    parser.add_argument("--wrapper", default="", help="a command that runs this package's side, such as valgrind")
    arguments = parser.parse_args()

    ours = Side("ours", arguments.ours, arguments.wrapper.split())
    reference = Side("reference", arguments.reference, [])
    end = time.monotonic() + arguments.seconds
    seed = arguments.seed
    done = operations = reference_crashes = unsteady = nested = 0
    failures = []
    while done < arguments.programs and operations < arguments.operations and time.monotonic() < end:
        number = min(BATCH, arguments.programs - done)
        both = [(side, side.start(seed, number)) for side in (ours, reference)]
        mine, theirs = (side.results(process) for side, process in both)
        for s in range(seed, seed + number):
            done += 1
            operations += mine[s][0]
            broken = crashed([mine[s][1]])
            if not broken and not (is_comparable([mine[s][1]]) and is_comparable([theirs[s][1]])):
                nested += 1
                continue
            if not broken and crashed([theirs[s][1]]):
                reference_crashes += 1
                print(f"seed {s}: the reference ended with {theirs[s][1]}, not this package", flush=True)
            elif broken or mine[s] != theirs[s]:
                if report(s, ours, reference, arguments.shrink, arguments.keep):
                    failures.append(s)
                else:
                    unsteady += 1
                if len(failures) >= arguments.failures:
                    break
        seed += number
        print(f"{done} programs, {operations} operations so far", flush=True)
        if len(failures) >= arguments.failures:
            break
    print(
        f"differential: {done} programs, {operations} operations, {len(failures)} failures"
        f"{' at seeds ' + ' '.join(map(str, failures)) if failures else ''}, "
        f"the reference crashed in {reference_crashes} and was unsteady in {unsteady}, {nested} nested too deep"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
