"""Goroutines, the peers from another language: benchmarks/go, built with Debian's Go."""

import functools
import os
import shutil
import subprocess

from suite import Unavailable
from suite.compare import Command
from suite.environments import ROOT  # makes `tools` importable
from tools import debian

SOURCE = ROOT / "benchmarks" / "go" / "goroutines.go"
BUILD = ROOT / "build" / "goroutines"


def install() -> None:
    """Installs Debian's Go where this process may. Raises Unavailable."""
    if not debian.can_install():
        raise Unavailable("Go is not installed (on Debian and Ubuntu the package golang-go)")
    debian.install("golang-go")
    if shutil.which("go") is None:
        raise Unavailable("apt-get can't install golang-go")


@functools.cache
def program() -> str:
    """The path of the program that measures goroutines. Raises Unavailable where it can't be built."""
    if shutil.which("go") is None:
        install()
    BUILD.mkdir(parents=True, exist_ok=True)
    built = BUILD / "goroutines"
    done = subprocess.run(
        ["go", "build", "-o", str(built), str(SOURCE)],
        # One file, which needs nothing but Go: no module, and no network.
        env={**os.environ, "GO111MODULE": "off", "GOPROXY": "off", "GOCACHE": str(BUILD / "cache")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise Unavailable(f"{SOURCE.name} does not build: {done.stdout.strip()}")
    return str(built)


def version() -> str:
    """Such as 1.19.8."""
    output = subprocess.run(["go", "env", "GOVERSION"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return output.strip().removeprefix("go")


def ring(number: int) -> Command:
    """One way from a goroutine to the next, of so many."""
    return [program(), "ring", str(number)]


def lives() -> Command:
    """To start a goroutine that returns at once."""
    return [program(), "lives"]


def parked(number: int, calls: int) -> Command:
    """The bytes of one of so many goroutines that wait so many calls deep."""
    return [program(), "parked", str(number), str(calls)]
