"""Builds a wheel for the running interpreter, and prints its path.

usage: PYTHON -m tools wheel [--glibc VERSION] [--to FOLDER] [SDIST]

The wheel is of this tree, for this system and newer ones. It is put in dist/ or another FOLDER. --glibc links it with
what a glibc of that VERSION had (tools/old_glibc.py), for systems from that one on; `python -m tools wheels` uses that,
and checks the result. SDIST is a source archive to build from instead of the tree.
"""

import shutil
import tempfile
from pathlib import Path

from tools import ROOT, environment, old_glibc
from tools.usage import parser

DIST = ROOT / "dist"


def build(python: Path, source: Path, settings: list[str], folder: Path) -> Path:
    """Build a wheel of *source*, with pip options *settings*, by the environment of *python*, and put it in *folder*.

    Returns the path of the wheel; raises RuntimeError if it can't be built.
    """
    # Built in a folder of its own, because the other one may have wheels of other versions.
    with environment.one_at_a_time(), tempfile.TemporaryDirectory() as built:
        environment.pip(
            *(python, "wheel", "--no-deps", "--no-build-isolation", *settings, "--wheel-dir", built, source)
        )
        [made] = Path(built).glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy2(made, folder))


def build_here(folder: Path = DIST) -> Path:
    """Build the wheel of this tree for this system. Returns its path; raises RuntimeError if it can't be built."""
    # With the build files of this environment, which is there usually.
    return build(environment.ours(), ROOT, environment.build_settings(), folder)


def linked_with(glibc: str) -> list[str]:
    """Return pip options for a build that runs on systems from a version of *glibc* on."""
    options = " ".join(old_glibc.provide(environment.FOLDER / f"glibc-{glibc}", glibc, "gcc"))
    return [f"--config-settings=cmake.define.CMAKE_MODULE_LINKER_FLAGS={options}"]


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--glibc")
    parsed.add_argument("--to", type=Path, default=DIST)
    parsed.add_argument("source", type=Path, nargs="?")
    options = parsed.parse_args(arguments)
    settings = linked_with(options.glibc) if options.glibc else []
    if settings or options.source:
        made = build(environment.build(), (options.source or ROOT).resolve(), settings, options.to)
    else:
        made = build_here(options.to)
    print(made.relative_to(ROOT) if made.is_relative_to(ROOT) else made)
    return 0
