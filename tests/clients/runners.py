"""Runs suites: with pytest, with gevent's own runner, or as a session that uses a client like an application."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import environments
import outcomes
import processes

HERE = Path(__file__).resolve().parent
TRIES_AFTER_CRASHES = 10

Progress = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One suite of a client."""

    name: str
    client: str  # distribution whose version is reported
    requirements: tuple[str, ...]
    limit: float  # seconds for a run on one package
    fast: bool = False  # part of the subset for continuous integration
    long: bool = False  # runs only on request
    built: tuple[str, ...] = ()  # requirements that publish no wheel
    variables: tuple[tuple[str, str], ...] = ()
    needs: tuple[str, ...] = ()  # system commands, which the runner installs if it may
    around: Callable | None = None  # a context manager that provides a server
    can_not_pass: tuple[tuple[str, str], ...] = ()  # on ours: the end of a test's identity, and the reason

    def reason_not_to_pass(self, test: str) -> str | None:
        """Return why *test* can't pass on ours, or None if it is not known to fail."""
        return next((reason for end, reason in self.can_not_pass if test.partition("[")[0].endswith(end)), None)

    def run(
        self, package: str, python: Path, folder: Path, progress: Progress, only: Iterable[str] | None = None
    ) -> str:
        """Run the suite on "reference" or "ours", or just the tests *only*, in *folder*.

        The records are written to the file "records" in it.

        Returns why the run did not complete, or an empty value.
        """
        raise NotImplementedError

    def is_shown_by(self, runs: dict[str, outcomes.Run]) -> bool:
        """Whether *runs* on both packages that do not differ prove anything."""
        return runs["reference"].count("passed") > 0

    def start(
        self, command: list[object], python: Path, folder: Path, limit: float, progress: Progress, **variables: str
    ) -> int | None:
        return processes.run(
            [python, *command],
            log=folder / "log",
            limit=limit,
            cwd=folder / "work",
            progress=progress,
            env=environments.variables(
                python,
                PYTHONPATH=f"{HERE / 'record'}{os.pathsep}{HERE / 'adapters'}",
                RECORD_OUTCOMES=str(folder / "records"),
                **dict(self.variables),
                **variables,
            ),
        )

    def empty_work_folder(self, folder: Path) -> Path:
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        return work


@dataclass(frozen=True, kw_only=True)
class Pytest(Suite):
    """Tests that pytest runs; in the folder of the source distribution if *from_source*."""

    arguments: tuple[str, ...]
    from_source: bool = False
    is_configured: bool = False  # the source distribution has the configuration of pytest
    leave_out: tuple[str, ...] = ()  # folders of the source distribution: the package itself
    python_options: tuple[str, ...] = ()
    adapter: str = ""  # a plugin of adapters/, only on ours: replaces the client's own functions by greenlet.aio
    seconds_a_test: int = 60

    def run(self, package, python, folder, progress, only=None):
        work = self.empty_work_folder(folder)
        if self.from_source:
            shutil.copytree(environments.sources(python, self.client, self.leave_out), work, dirs_exist_ok=True)
        if not self.is_configured:
            (work / "pytest.ini").touch()  # otherwise pytest uses the configuration of this project
        lists = {"RECORD_DONE": folder / "done"}
        lists["RECORD_DONE"].write_text("")
        if only is not None:
            lists["RECORD_ONLY"] = folder / "only"
            lists["RECORD_ONLY"].write_text("\n".join(only))
        plugins = ("record_pytest", self.adapter) if self.adapter and package == "ours" else ("record_pytest",)
        command = [
            *self.python_options,
            "-m",
            "pytest",
            *(f"-p{plugin}" for plugin in plugins),
            "-p",
            "no:cacheprovider",
            "-q",
            f"--timeout={self.seconds_a_test}",
            "--timeout-method=thread",
            *self.arguments,
        ]
        begin, done = time.monotonic(), 0
        for _ in range(TRIES_AFTER_CRASHES):
            spent = time.monotonic() - begin
            status = self.start(
                command,
                python,
                folder,
                self.limit - spent,
                lambda seconds, spent=spent: progress(spent + seconds),
                **{variable: str(path) for variable, path in lists.items()},
            )
            if status is None:
                return f"stopped after {self.limit:.0f} s"
            if status in (0, 1, 5):  # passed, some failed, none collected
                return ""
            # A crash, or a test that exceeded its time and ended the process: run the other tests.
            seen = outcomes.read(folder / "records").outcomes
            if len(seen) == done:
                return f"pytest ended with status {status}"
            done = len(seen)
            lists["RECORD_DONE"].write_text("\n".join(seen))
        return f"given up after {TRIES_AFTER_CRASHES} crashes"


@dataclass(frozen=True, kw_only=True)
class Gevent(Suite):
    """Modules of gevent.tests, run by gevent's own runner: one process a file."""

    files: tuple[str, ...] = ()  # all if empty
    workers: int = 2

    def run(self, package, python, folder, progress, only=None):
        self.empty_work_folder(folder)
        self._provide_distribution(python)
        files = self.files if only is None else self._files(only)
        log = folder / "log"
        start = log.stat().st_size if log.is_file() else 0
        status = self.start(
            ["-m", "gevent.tests", "--quiet", "--no-combine", "-j", self.workers, "-u-network", *files],
            python,
            folder,
            self.limit,
            progress,
            RECORD_UNITTEST="1",
            NO_COLOR="1",
        )
        self._record_processes(log, start, folder / "records")
        return f"stopped after {self.limit:.0f} s" if status is None else ""

    def _provide_distribution(self, python: Path) -> None:
        """Copy the parts of the source distribution that tests use to the folder above gevent's package.

        They are the examples, and the standard library's tests that run monkey-patched.
        """
        source, root = environments.sources(python, self.client), python.parent.parent
        shutil.copy(source / "setup.py", root)
        for folder in ("examples", "src/greentest"):
            shutil.copytree(source / folder, root / folder, dirs_exist_ok=True)

    def _files(self, tests: Iterable[str]) -> list[str]:
        # The tests of the standard library can only be run all at once.
        names = {
            "test___monkey_patching"
            if "gevent.testing.monkey_test" in test
            else re.search(r"gevent\.tests\.(\w+)", test)[1]
            for test in tests
        }
        return [f"{name}.py" for name in sorted(names)]

    def _record_processes(self, log: Path, start: int, records: Path) -> None:
        """Add an outcome for each process: some tests do not use unittest, and a process may crash at its end."""
        with open(log, "rb") as file:
            file.seek(start)
            text = re.sub(r"\x1b\[[0-9;]*m", "", file.read().decode(errors="replace"))
        with open(records, "a") as file:
            for mark, command in re.findall(r"^\s*([-!]) (?:\w+=\S* )*\S+/python (.*?) \[", text, re.MULTILINE):
                name = "process " + re.sub(r"\S*/site-packages/", "", command)
                file.write(json.dumps(["ended", name, "failed" if mark == "!" else "passed"]) + "\n")


@dataclass(frozen=True, kw_only=True)
class Session(Suite):
    """A script of applications/ that uses the client as an application does, and checks the results."""

    script: str
    arguments: tuple[str, ...] = ()

    def run(self, package, python, folder, progress, only=None):
        self.empty_work_folder(folder)
        status = self.start(
            [HERE / "applications" / self.script, *self.arguments], python, folder, self.limit, progress
        )
        with open(folder / "records", "a") as file:
            file.write(json.dumps(["ended", "the session ends", "failed" if status else "passed"]) + "\n")
        return f"stopped after {self.limit:.0f} s" if status is None else ""

    def is_shown_by(self, runs):
        # The checks are our own, so all must pass here.
        return runs["ours"].count("passed") == runs["ours"].ran
