"""Runs the tests on instrumented builds of this package, and of CPython if they are available.

usage: PYTHON -m tools sanitize [NAME...]

    address           our suite under AddressSanitizer and UBSan, on a CPython built with AddressSanitizer too
    address-programs  random programs in the same way
    leaks             LeakSanitizer at the end of a program that uses greenlets in many ways; and of two programs that
                      leak, which it must report
    valgrind          our suite under Valgrind's memcheck, file by file, on the first interpreter in which it finds
                      nothing without our package; processes that a test starts run without Valgrind
    references        reference counts stay level over repetitions, on a debug build of CPython if there is one
    thread            threads on python3.13t under ThreadSanitizer, both built with it
    freethreaded      our suite on python3.13t, and on 3.14t and 3.15t if they are installed, with PYTHON_GIL=0
    headers           compiles for free-threaded 3.13, 3.14 and 3.15 with the headers of the ordinary builds
    engine            the engine's C++ tests under AddressSanitizer, ThreadSanitizer and Valgrind

Without arguments, all run. Two lists (tests/stress/cpython-*.txt) suppress CPython's leaks at exit and races within
CPython; they name only functions of CPython. Missing interpreters are built by tools/build-python if possible. Parts
that can't run are skipped, with the reason. Logs go to build/sanitizers/. The exit status is 1 if something failed, and
77 if everything was skipped.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tools import BUILD, CACHE, ROOT, interpreters
from tools.interpreters import Interpreter
from tools.usage import parse_names, parser

LOGS = BUILD / "sanitizers"
SKIPPED = 77
QUIET = {"ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "report_bugs=0"}  # while things are built
COMPLAINT = re.compile(r"^(FAILED|ERROR)|SUMMARY|NOT LEVEL|error: ")
COMPILER = shlex.split(os.environ.get("CXX") or "c++")
PROGRAMS = os.environ.get("PROGRAMS", "500")  # of each kind
SECONDS_EACH = os.environ.get("SECONDS_EACH", "10")  # for a program with threads
THREAD_PROGRAMS = ("threads", "generator_threads", "tasklet_threads")
LOOPS = ("asyncio", "uvloop", "trio", "anyio")


class Skip(Exception):
    """A part can't run here. The text says why."""


class Records:
    """The outcome of each part."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.kinds: set[str] = set()

    def add(self, name: str, kind: str, more: str) -> None:
        self.kinds.add(kind)
        self.outcomes[name] = f"{kind}{more}"
        print(f"== {name}: {self.outcomes[name]}", flush=True)

    def run(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: dict[str, str] | None = None,
        passes: Callable[[int, str], bool] = lambda status, _: status == 0,
    ) -> None:
        """Run *command* and record whether it *passes*, a function of its exit status and its output."""

        def run(log) -> int:
            return subprocess.run(
                [str(part) for part in command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            ).returncode

        self.call(name, run, passes)

    def call(
        self,
        name: str,
        function: Callable[..., int],
        passes: Callable[[int, str], bool] = lambda status, _: status == 0,
    ) -> None:
        """The same for a function that takes an open file for its output, and returns a status."""
        log, begin = LOGS / f"{name}.log", time.monotonic()
        print(f"== {name}, log in {log.relative_to(ROOT)}", flush=True)
        with open(log, "w") as file:
            status = function(file)
        took = f"{time.monotonic() - begin:.0f} s"
        text = log.read_text(errors="replace")
        if passes(status, text):
            self.add(name, "passed", f" in {took}: {text.strip().rpartition(chr(10))[2].strip('= ')}")
        else:
            self.add(name, "FAILED", f" after {took}")
            print(*[line for line in text.splitlines() if COMPLAINT.search(line)][:20], sep="\n", flush=True)

    def exit_status(self) -> int:
        return 1 if "FAILED" in self.kinds else SKIPPED if self.kinds == {"skipped"} else 0


def environment(interpreter: Interpreter, variant: str = "") -> list[str]:
    """Return the command of an interpreter with the *variant* of our package. Raises CalledProcessError."""
    with open(LOGS / "build.log", "ab") as log:
        return interpreter.environment("ours", variant, log, **QUIET)


def instrumented(kind: str, executable: str) -> Interpreter:
    """Return a CPython that tools/build-python builds. Raises Skip."""
    done = subprocess.run(["tools/build-python", kind], cwd=ROOT, stdin=subprocess.DEVNULL)
    found = interpreters.probe(CACHE / f"instrumented-{kind}" / "bin" / executable, **QUIET)
    if done.returncode != 0 or found is None:
        raise Skip(f"tools/build-python {kind} can't make its interpreter")
    return found


def library(name: str) -> str:
    return subprocess.run(
        [*COMPILER, f"-print-file-name={name}"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


class Address:
    """Runs programs under AddressSanitizer and UBSan."""

    def __init__(self, detect_leaks: bool = False) -> None:
        self.python = environment(instrumented("address", "python3.13"), "asan")
        # AddressSanitizer looks up the functions of C++ exceptions when the process starts, and python does not load
        # them.
        self.preload = f"LD_PRELOAD={library('libasan.so')} {library('libstdc++.so.6')}"
        self.variables = {
            "ASAN_OPTIONS": ":".join(
                [f"detect_leaks={detect_leaks:d}", "abort_on_error=1", "handle_abort=0", "allocator_may_return_null=1"]
            ),
            "LSAN_OPTIONS": "suppressions=tests/stress/cpython-leaks.txt:print_suppressions=0",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
            "PYTHONMALLOC": "malloc",
        }

    def run(self, records: Records, name: str, *arguments: str, **options) -> None:
        records.run(name, ["env", self.preload, *self.python, *arguments], self.variables, **options)


def address(records: Records) -> None:
    Address().run(records, "address", "-u", "-m", "pytest", "-v", "-p", "no:cacheprovider", "--capture=sys", "tests")


def address_programs(records: Records) -> None:
    def survived(status: int, text: str) -> bool:
        return status == 0 and not re.search("exit code|hang", text)

    sanitizer = Address()
    sanitizer.run(records, "address-programs", "tests/stress/worker.py", "900000", PROGRAMS, passes=survived)
    for loop in LOOPS:
        sanitizer.run(records, f"address-programs-{loop}", "tests/stress/aio.py", "900000", PROGRAMS, "inf", loop)


def leaks(records: Records) -> None:
    def is_noticed(status: int, text: str) -> bool:
        return status != 0 and re.search(r"[1-9]\d* greenlets leaked|byte\(s\) leaked", text) is not None

    sanitizer = Address(detect_leaks=True)
    sanitizer.run(records, "leaks", "tests/stress/leaks.py")
    for leaked in ("greenlet", "value"):
        sanitizer.run(records, f"leaks-{leaked}", "tests/stress/leaks.py", leaked, passes=is_noticed)


def valgrind_command(*options: str) -> list[str]:
    return ["env", "PYTHONMALLOC=malloc", "valgrind", "--quiet", "--error-exitcode=9", *options]


def valgrind(records: Records) -> None:
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    for interpreter in interpreters.find():
        # Some builds of CPython read uninitialized memory as soon as they start.
        plain = [*valgrind_command(), *interpreter.command, "-c", "pass"]
        if not interpreter.prefix and subprocess.run(plain, capture_output=True).returncode == 0:
            python = environment(interpreter, "valgrind")
            records.call("valgrind", lambda log: valgrind_files(python, log))
            return
    raise Skip("it reports errors of each CPython without this package")


def valgrind_files(python: Sequence[str], log) -> int:
    """Run each file of tests in a process of its own. Returns how many failed."""
    passed = failed = 0
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        name = "-".join(path.relative_to(ROOT / "tests").with_suffix("").parts)
        errors, printed = LOGS / f"valgrind-{name}.errors", LOGS / f"valgrind-{name}.log"
        command = [
            *valgrind_command(
                "--trace-children=no", "--child-silent-after-fork=yes", "--num-callers=30", f"--log-file={errors}"
            ),
            *python,
            "-u",
            "-m",
            "pytest",
            "-v",
            "-p",
            "no:cacheprovider",
            "--timeout",
            "1800",
            str(path),
        ]
        with open(printed, "wb") as file:
            status = subprocess.run(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            ).returncode
        if status != 0:
            failed += 1
            print(f"FAILED {name}", file=log)
        print(errors.read_text(errors="replace"), end="", file=log, flush=True)
        passed += sum(map(int, re.findall(r"^=.*?(\d+) passed", printed.read_text(errors="replace"), re.MULTILINE)))
    print(f"{passed} tests passed, {failed} files failed", file=log)
    return failed


def references(records: Records) -> None:
    interpreter = interpreters.by_name("3.14-dbg") or interpreters.by_name("3.15-dbg")
    if interpreter is None:
        print("no debug build of CPython: memory blocks are counted instead")
        interpreter = next(filter(lambda each: each.is_release, interpreters.find()))
    python = environment(interpreter)
    records.run("references", [*python, "tests/stress/references.py", os.environ.get("PROGRAMS", "200")])


def thread(records: Records) -> None:
    python = environment(instrumented("thread", "python3.13t"), "tsan")
    options = "suppressions=tests/stress/cpython-races.txt:halt_on_error=0:exitcode=66:history_size=4"
    for program in THREAD_PROGRAMS:
        records.run(
            f"thread-{program}",
            ["setarch", "-R", *python, f"tests/stress/{program}.py", SECONDS_EACH],
            {"TSAN_OPTIONS": options},
        )


def freethreaded(records: Records) -> None:
    subprocess.run(["tools/build-python", "freethreaded"], cwd=ROOT, stdin=subprocess.DEVNULL)
    without_gil = {"PYTHON_GIL": "0"}
    for version in ("3.13t", "3.14t", "3.15t"):
        name = f"freethreaded-{version}"
        interpreter = interpreters.probe(CACHE / f"python-{version}" / "bin" / f"python{version}")
        if interpreter is None:
            records.add(name, "skipped", ": not built (tools/build-python)")
            continue
        python = [*environment(interpreter), "-X", "faulthandler"]
        records.run(name, [*python, "-u", "-m", "pytest", "-v", "-p", "no:cacheprovider", "tests"], without_gil)
        for program in THREAD_PROGRAMS:
            records.run(f"{name}-{program}", [*python, f"tests/stress/{program}.py", SECONDS_EACH], without_gil)


def headers(records: Records) -> None:
    for version in ("3.13", "3.14", "3.15"):
        interpreter = interpreters.by_name(version)
        if interpreter is None:
            records.add(f"headers-{version}", "skipped", ": not found")
        else:
            records.call(f"headers-{version}", lambda log, interpreter=interpreter: check_headers(interpreter, log))


def check_headers(interpreter: Interpreter, log) -> int:
    """Read the sources of the extension as a free-threaded build does, up to the first error."""
    folders = interpreter.run_and_read(
        "import sysconfig; print(*{sysconfig.get_path(name) for name in ('include', 'platinclude')})"
    ).split()
    sources = [
        path.relative_to(ROOT)
        for path in sorted((ROOT / "src").rglob("*.cpp"))
        if not path.is_relative_to(ROOT / "src" / "stackful")
    ]
    for source in sources:
        command = [
            *interpreter.prefix,
            *COMPILER,
            "-std=c++20",
            "-fsyntax-only",
            "-fno-exceptions",
            "-fno-rtti",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-DPy_GIL_DISABLED=1",
            "-Isrc",
            "-Iinclude",
            '-DSTACKFUL_SWITCH=""',
            *(f"-I{folder}" for folder in folders),
            source,
        ]
        status = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        ).returncode
        if status != 0:
            return status
        print(source, file=log, flush=True)
    print(f"{len(sources)} files", file=log)
    return 0


def engine(records: Records) -> None:
    records.run("engine", [sys.executable, "-m", "tools", "engine", "asan", "tsan", "valgrind"])


PARTS = {
    "engine": engine,
    "headers": headers,
    "references": references,
    "freethreaded": freethreaded,
    "leaks": leaks,
    "address": address,
    "address-programs": address_programs,
    "valgrind": valgrind,
    "thread": thread,
}


def main(arguments: list[str]) -> int:
    names = parse_names(parser(__doc__), arguments, PARTS).names
    LOGS.mkdir(parents=True, exist_ok=True)
    records = Records()
    for name in names:
        try:
            PARTS[name](records)
        except Skip as reason:
            records.add(name, "skipped", f": {reason}")
        except subprocess.CalledProcessError:
            records.add(name, "FAILED", f": could not build, see {(LOGS / 'build.log').relative_to(ROOT)}")
    print()
    for name, outcome in records.outcomes.items():
        print(f"{name}: {outcome}")
    return records.exit_status()
