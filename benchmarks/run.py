"""Measures this package, compared with the reference and with other ways to do the same.

usage: PYTHON benchmarks/run.py [--quick] [--here] [--groups NAME,...] [--report]

Without options it measures everything on CPython 3.13, if that is found, or else on the running interpreter; and the
comparisons with the reference on each other release build. It writes docs/benchmarks.md and its plots. This takes half
an hour. Compared processes run in alternation, so other work on the machine affects both sides, but a quiet machine
gives better results. Go, Boost.Context and Google Benchmark are used too. If they are missing, root installs them with
apt-get; otherwise their rows are left out.

    --quick     some rows with fewer samples, this interpreter, no page: two minutes
    --here      this interpreter only, no page
    --groups    only these: switching, spawning, numbers, rings, lives, sizes, collections, turns, walks, alternatives,
                clients, web, memory, million, engine; threads and thread-numbers on a free-threaded interpreter
    --report    measure nothing, write the page from stored results

The exit status is not 0 if something could not be measured. A missed target is shown, but is no error.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from suite import (
    Row,
    Unavailable,
    alternatives,
    by_number,
    clients,
    compare,
    engine,
    environments,
    results,
    spawning,
    switching,
    web,
)
from suite.compare import Figure
from suite.environments import OURS, REFERENCE
from suite.results import Comparison, Results
from tools import interpreters

GROUPS_BY_NUMBER = ("numbers", "rings", "lives", "sizes", "collections", "turns", "walks")
GROUPS = ("switching", "spawning", *GROUPS_BY_NUMBER, "alternatives", "clients", "web", "memory", "million", "engine")
GROUPS_ELSEWHERE = ("switching", "spawning", "numbers", "alternatives", "clients", "memory")
GROUPS_QUICK = ("switching", "spawning", "numbers", "clients", "alternatives", "memory")
GROUPS_WITHOUT_GIL = ("threads", "thread-numbers")
WITHOUT_GIL = "t" in sys.abiflags
THIS = f"{sys.version_info.major}.{sys.version_info.minor}{'t' * WITHOUT_GIL}"
OF_THE_TABLES = "3.13"
STACKS = (256, 1024, 8192)  # KiB; the last is the usual size for threads
PARKED_FRAMES = (1, 30)
MEMORY_FOR_A_MILLION = 12 << 30


class Progress:
    """A progress bar on a terminal, below the growing table."""

    WIDTH = 30

    def __init__(self, steps: int):
        self._steps = steps
        self._done = 0
        self._shown = sys.stderr.isatty()

    def show(self, what: str) -> None:
        if self._shown:
            full = self.WIDTH * self._done // max(1, self._steps)
            print(
                f"\r\033[K[{'#' * full}{' ' * (self.WIDTH - full)}] {self._done}/{self._steps} {what}",
                end="",
                file=sys.stderr,
                flush=True,
            )

    def step(self) -> None:
        self._done += 1

    def say(self, line: str) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        print(line, flush=True)


HEADING = f"{'':44} {'ours':>10} {'':>5} {'reference':>10} {'':>5}   ratio  target"


def as_line(row: Comparison) -> str:
    target = f"{row.target:g}x" if row.target > 1 else ""
    return (
        f"{row.title:44} {compare.nanoseconds(row.ours.median):>10} {row.ours.spread:>5.0%} {compare.nanoseconds(row.reference.median):>10} "
        f"{row.reference.spread:>5.0%} {row.ratio:>6.1f}x {target:>6}  {row.verdict}"
    )


class Run:
    """The measurements on this interpreter."""

    def __init__(self, quick: bool, groups: tuple[str, ...]):
        self.effort = compare.QUICK if quick else compare.FULL
        self.quick = quick
        self.groups = groups
        self.failures = 0
        self.missed: list[str] = []
        self.pythons = environments.make_ours_alone() if WITHOUT_GIL else environments.make_both()
        self.results = (
            None
            if quick
            else Results(
                platform.python_version() + sys.abiflags,
                {side: environments.versions(python) for side, python in self.pythons.items()},
            )
        )
        self.progress = Progress(sum(len(self.rows_of(group)) or 1 for group in groups))

    def rows_of(self, group: str) -> list[Row]:
        module = {
            "switching": switching,
            "spawning": spawning,
            "alternatives": alternatives,
            "clients": clients,
        }.get(group)
        return [row for row in module.ROWS if row.is_quick or not self.quick] if module else []

    def attempt(self, what: str, measure):
        """Return the result of measure(); if it is unavailable, print the reason and return None."""
        self.progress.show(what)
        try:
            return measure()
        except Unavailable as reason:
            self.progress.say(f"{what}: not measured: {reason}")
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            self.failures += 1
            self.progress.say(f"{what}: FAILED: {error}")
        finally:
            self.progress.step()
        return None

    def keep(self, group: str, content: object) -> None:
        if self.results is not None and content:
            self.results.add(group, content)

    def check(self, checks: list[tuple[str, bool]]) -> None:
        for sentence, holds in checks:
            self.progress.say(f"{'met   ' if holds else 'MISSED'} {sentence}")
            if not holds:
                self.missed.append(sentence)

    def compared(self, title: str, figures: dict[str, Figure], target: float) -> Comparison:
        row = Comparison(title, figures[OURS], figures[REFERENCE], target)
        self.progress.say(as_line(row))
        if row.verdict.isupper():
            self.missed.append(f"{title}: {row.ratio:.1f}x, target {row.target:g}x")
        return row

    def with_reference(self, group: str) -> None:
        done = []
        for row in self.rows_of(group):
            sides = {side: compare.row(python, group, row.title) for side, python in self.pythons.items()}
            effort = compare.LONG if row.has_threads else self.effort
            figures = self.attempt(row.title, lambda: compare.alternate(sides, effort))
            if figures is not None:
                done.append(self.compared(row.title, figures, row.target_on(sys.version_info.minor)))
        self.keep(group, done)

    def web(self) -> None:
        title = f"gevent pywsgi, {web.DEPTH}-frame handler, a request"
        figures = self.attempt(title, lambda: web.measure(self.pythons, samples=9, seconds=2))
        if figures is not None:
            self.keep("web", [self.compared(title, figures, 1.0)])

    def alternatives(self) -> None:
        rows = self.rows_of("alternatives")
        # All sides run in alternation, because they are compared with each other.
        sides = {row.title: compare.row(self.pythons[OURS], "alternatives", row.title) for row in rows}
        figures = self.attempt("other ways", lambda: compare.alternate(sides, self.effort))
        if figures is None:
            return
        self.progress.say("\nThere and back between two tasks, ns")
        for title, figure in figures.items():
            self.progress.say(f"{title:44} {compare.nanoseconds(figure.median):>10} {figure.spread:>5.0%}")
        self.check(
            results.alternatives_checks(
                sys.version_info.minor, {title: figure.median for title, figure in figures.items()}
            )
        )
        self.keep("alternatives", figures)

    def parked(self, counts: tuple[int, ...], frames: tuple[int, ...]) -> list[dict]:
        rows = []
        for count in counts:
            for depth in frames:
                for side, stack in [(REFERENCE, 0), *((OURS, stack) for stack in STACKS)]:
                    environment = os.environ | {"GREENLET_STACK_SIZE": str(stack << 10)} if stack else None
                    command = compare.call(self.pythons[side], "memory", "parked", count, depth)
                    found = compare.printed_by(command, environment)
                    rows.append({"side": side, "count": count, "frames": depth, "stack": stack} | found)
                    where = f"{side}, stacks of {stack} KiB" if stack else side
                    self.progress.say(
                        f"{count:>9,} parked {depth:>2} frames deep, {where:24} "
                        f"{found['resident']:>7,.0f} B + {found['page tables']:>5,.0f} B of page tables; "
                        f"when all died {found['left resident']:>6,.0f} + {found['left page tables']:,.0f}"
                    )
        return rows

    def memory(self) -> None:
        def measure():
            content = {
                "parked": self.parked(
                    (10_000,) if self.quick else (10_000, 100_000), (1,) if self.quick else PARKED_FRAMES
                )
            }
            for name, count in (("died deep", 10_000), ("came back from deep", 1_000)):
                content[name] = {
                    side: compare.printed_by(compare.call(python, "memory", name.replace(" ", "_"), count))
                    for side, python in self.pythons.items()
                }
            return content

        self.progress.say("\nMemory of a greenlet")
        content = self.attempt("memory", measure)
        if content is not None:
            self.check(results.memory_checks(content))
            self.keep("memory", content)

    def million(self) -> None:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with open("/proc/meminfo") as meminfo:
            for line in meminfo:
                if line.startswith("MemAvailable:"):
                    available = int(line.split()[1]) << 10
        if available < MEMORY_FOR_A_MILLION:
            self.progress.say(
                f"a million greenlets: not measured: {available >> 30} GiB of memory are available, "
                f"{MEMORY_FOR_A_MILLION >> 30} are asked for"
            )
            self.progress.step()
            return
        self.keep("million", self.attempt("a million greenlets", lambda: self.parked((1_000_000,), (1,))))

    def threads(self) -> None:
        sides = {
            title: compare.row(self.pythons[OURS], "switching", title)
            for title in (switching.ONE_THREAD, switching.TWO_THREADS)
        }
        figures = self.attempt("threads", lambda: compare.alternate(sides, compare.LONG))
        if figures is not None:
            one, two = figures.values()
            self.progress.say(
                f"switches, by one thread {1e3 / one.median:.1f} million a second, "
                f"by two at once {1e3 / two.median:.1f}: {one.median / two.median:.2f} times as many"
            )
            self.keep("threads", figures)

    def engine(self) -> None:
        figures = self.attempt("engine", engine.measure)
        if figures is not None:
            self.progress.say("\nThe engine alone, ns: one switch, one way, or start and finish of a stack")
            for name, median in figures.items():
                self.progress.say(f"{name:44} {median:>10.1f}")
            self.check(results.engine_checks(figures))
            self.keep("engine", figures)

    def all(self) -> int:
        start = time.monotonic()
        print(
            f"CPython {platform.python_version()}; times in ns with the interquartile range; "
            f"ratio: how many times as fast as the reference, by medians\n\n{HEADING}",
            flush=True,
        )
        for group in self.groups:
            if group in ("switching", "spawning", "clients"):
                self.with_reference(group)
            elif group in by_number.GROUPS:
                by_number.GROUPS[group](self)
            else:
                getattr(self, group)()
        print(f"\n{len(self.missed)} targets missed" if self.missed else "\nAll targets met", flush=True)
        for sentence in self.missed:
            print(f"  {sentence}")
        print(f"measured in {(time.monotonic() - start) / 60:.1f} minutes", flush=True)
        return self.failures


def other_interpreters() -> list[interpreters.Interpreter]:
    """The release builds of other versions, and the free-threaded builds."""
    return [each for each in interpreters.find() if not each.is_debug and each.name != THIS]


def groups_on(name: str, of_the_tables: str) -> tuple[str, ...]:
    """The groups that are measured on the interpreter *name*, when another may be that of the page's tables."""
    if name.endswith("t"):
        return GROUPS_WITHOUT_GIL
    return GROUPS if name == of_the_tables else GROUPS_ELSEWHERE


def write_report() -> None:
    environments.environment.run(environments.make_plotter(), str(Path(__file__).parent / "report.py"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--groups", default="")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    groups = tuple(arguments.groups.split(",")) if arguments.groups else GROUPS + GROUPS_WITHOUT_GIL
    if unknown := set(groups) - set(GROUPS + GROUPS_WITHOUT_GIL):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    if arguments.report:
        write_report()
        return 0
    if arguments.quick:
        return bool(Run(True, groups if arguments.groups else GROUPS_QUICK).all())
    others = [] if arguments.here else other_interpreters()
    of_the_tables = OF_THE_TABLES if OF_THE_TABLES in [each.name for each in others] else THIS
    failures = Run(False, tuple(group for group in groups_on(THIS, of_the_tables) if group in groups)).all()
    if not arguments.here:
        for interpreter in others:
            print(f"\n=== CPython {interpreter.name}", flush=True)
            chosen = ",".join(group for group in groups_on(interpreter.name, of_the_tables) if group in groups)
            if chosen:
                failures += subprocess.run(
                    [*interpreter.command, __file__, "--here", "--groups", chosen], stdin=subprocess.DEVNULL
                ).returncode
        write_report()
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
