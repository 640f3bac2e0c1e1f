"""Runs Stackless Python's own unit tests of hard switching against the installed package.

usage: PYTHON tests/stackless_python/run.py [--source WHERE] [PATTERN...]

The tests are fetched with git from WHERE, a URL or a folder; the default is Stackless's repository on GitHub. They go
to a temporary folder and are not kept. Each module of tests runs in a process of its own (child.py). After a test that
fails, crashes or hangs, a new process runs the rest.

differences.toml lists the tests that fail because of a difference that docs/stackless.md names. The exit status is 1 if
another test fails, or if a listed one passes.

PYTHON has this project's package (`python -m tools environment ours`).
"""

import argparse
import collections
import fnmatch
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = "https://github.com/stackless-dev/stackless"
COMMIT = "4b817a8b19dd0d02153700641877e7a021807a0c"  # the last one: CPython 3.8
FOLDER = "Stackless/unittests"
TIME_LIMIT = 30  # seconds per test


def fetch(source: str, target: Path) -> Path:
    """Fetch the tests into *target*. Returns their folder. Raises CalledProcessError."""
    git = ["git", "-C", str(target)]
    if not Path(source).is_dir():
        subprocess.run(["git", "init", "--quiet", str(target)], check=True)
        subprocess.run([*git, "fetch", "--quiet", "--depth=1", source, COMMIT], check=True)
    else:
        git = ["git", "-C", source]
    archive = target / "tests.tar"
    subprocess.run([*git, "archive", f"--output={archive}", COMMIT, FOLDER], check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(target / "tests", filter="data")
    return target / "tests" / FOLDER


def run_child(folder: Path, module: str, report: Path, names: list[str]) -> str:
    """Run child.py, and kill the processes it leaves behind. Returns its exit status and the end of its errors."""
    report.write_text("")
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "child.py"), str(folder), module, str(report), str(TIME_LIMIT), *names],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )
        try:
            process.wait(TIME_LIMIT * max(10, len(names)))
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        output.seek(0)
        return f"exit status {process.returncode}\n{output.read()[-2000:]}"


def run_module(folder: Path, module: str, patterns: list[str]) -> dict[str, tuple[str, str]]:
    report = folder / "report"
    said = run_child(folder, module, report, ["list"])
    try:
        names = json.loads(report.read_text())
    except ValueError:
        return {module: ("failed", said)}
    left = [name for name in names if not patterns or any(pattern in name for pattern in patterns)]
    outcomes: dict[str, tuple[str, str]] = {}
    while left:
        said = run_child(folder, module, report, left)
        lines = [json.loads(line) for line in report.read_text().splitlines()]
        done = {line["test"]: (line["outcome"], line["detail"]) for line in lines if "test" in line}
        begun = [line["start"] for line in lines if "start" in line and line["start"] not in done] or left[: not done]
        outcomes |= done | dict.fromkeys(begun, ("failed", said))
        left = [name for name in left if name not in outcomes]
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", default=SOURCE)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="run only the tests whose ids contain this")
    arguments = parser.parse_args()
    groups = tomllib.loads((HERE / "differences.toml").read_text())["difference"]
    differences = [
        (pattern, group["because"], group.get("sometimes", False)) for group in groups for pattern in group["tests"]
    ]
    wrong, counts = [], collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            folder = fetch(arguments.source, Path(scratch))
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"stackless: skipped: its tests can't be fetched: {error}")
            return 0
        for path in sorted(folder.glob("test_*.py")):
            for name, (outcome, detail) in run_module(folder, path.stem, arguments.patterns).items():
                plain = re.sub(r"_[CP]\d(?=_H$|$)", "", name)  # without the pickler and its protocol
                because, sometimes = next(
                    (
                        (why, sometimes)
                        for pattern, why, sometimes in differences
                        if fnmatch.fnmatchcase(plain, pattern)
                    ),
                    (None, False),
                )
                is_right = outcome == "skipped" or sometimes or (outcome == "failed") == (because is not None)
                counts[outcome if because is None or outcome != "failed" else "failed as expected"] += 1
                if not is_right:
                    wrong.append(name)
                    expected = "pass" if because is None else f"fail: {because}"
                    print(f"{name}: {outcome}, but expected to {expected}\n{detail}")
    print(
        "stackless:",
        ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())),
        f"; {len(wrong)} wrong",
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
