"""The two environments that are compared: they differ only in greenlet."""

import json
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
sys.path.insert(0, str(ROOT))

from tools import environment, wheel

CLIENTS = ["gevent", "sqlalchemy", "aiosqlite"]
OURS, REFERENCE = "ours", "reference"


def make_both() -> dict[str, Path]:
    """Return the interpreters of both, with the suite's packages. Raises RuntimeError, or CalledProcessError."""
    try:
        pythons = make("benchmark", CLIENTS)
    except RuntimeError:
        print("not all clients have a wheel for this interpreter: measuring without them", file=sys.stderr)
        pythons = make("benchmark", [])
    for python in pythons.values():
        _build_extension(python)
    return pythons


def make(name: str, clients: list[str]) -> dict[str, Path]:
    """Return the interpreters of two environments with published wheels of *clients*.

    Raises RuntimeError, or CalledProcessError.
    """
    requirements = ["--only-binary", ":all:", environment.REFERENCE, *clients] if clients else [environment.REFERENCE]
    pythons = {
        side: environment.make(environment.FOLDER / f"{name}-{side}", requirements) for side in (OURS, REFERENCE)
    }
    _install_ours(pythons[OURS])
    return pythons


def make_ours_alone() -> dict[str, Path]:
    """Return the interpreter of an environment without clients: the reference has no free-threaded build."""
    python = environment.make(environment.FOLDER / "benchmark-ours-alone", [])
    _install_ours(python)
    return {OURS: python}


def _install_ours(python: Path) -> None:
    environment.pip(python, "install", "--no-index", "--no-deps", "--force-reinstall", wheel.build_here())


def _build_extension(python: Path) -> None:
    """Compile extension.c with the environment's own greenlet.h, into its site-packages."""
    program = "import sysconfig; print(sysconfig.get_path('platlib'))"
    site_packages = Path(
        subprocess.run([python, "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    )
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    target = site_packages / f"greenlet_benchmark{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run(
        [
            *compiler,
            "-O2",
            "-DNDEBUG",
            "-fPIC",
            "-shared",
            f"-I{sysconfig.get_path('include')}",
            f"-I{site_packages}",
            str(BENCHMARKS / "suite" / "extension.c"),
            "-o",
            str(target),
        ],
        check=True,
    )


def versions(python: Path) -> dict[str, str]:
    """Return the versions of the compared packages in an environment."""
    names = ["greenlet", *CLIENTS]
    program = (
        "import importlib.metadata as m, json; d = {}\n"
        f"for n in {names!r}:\n try: d[n] = m.version(n)\n except m.PackageNotFoundError: pass\n"
        "print(json.dumps(d))"
    )
    return json.loads(subprocess.run([python, "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout)


def make_plotter() -> Path:
    """Return the interpreter of an environment with matplotlib."""
    return environment.make(environment.FOLDER / "benchmark-plots", ["matplotlib"])
