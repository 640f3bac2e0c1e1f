"""Lays out a scratch copy of the installed package with the reference's tests inside it.

The suite is written as the subpackage `greenlet.tests`, includes "../greenlet.h" and starts scripts in
new processes. So it gets a tree with that layout:

    SCRATCH/greenlet/                    the installed package, copied: our extension, our greenlet.h
    SCRATCH/greenlet/greenlet_compiler_compat.hpp     from the archive
    SCRATCH/greenlet/tests/              from the archive, its two extensions compiled here

With SCRATCH first in PYTHONPATH every process finds it, and the installed package stays unchanged.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import sdist

# The C file is compiled as C and the C++ file as C++: clients include greenlet.h from both.
EXTENSIONS = (
    ("_test_extension", "_test_extension.c", "CC", "cc"),
    ("_test_extension_cpp", "_test_extension_cpp.cpp", "CXX", "c++"),
)


def installed_package() -> Path:
    """Return the folder of the package `greenlet` that this interpreter would import."""
    spec = importlib.util.find_spec("greenlet")
    if spec is None or not spec.origin:
        raise RuntimeError(f"greenlet is not installed for {sys.executable}")
    return Path(spec.origin).parent


def compile_extension(name: str, source: Path, compiler: list[str]) -> None:
    target = source.with_name(name + sysconfig.get_config_var("EXT_SUFFIX"))
    include = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
    shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    command = [
        *compiler,
        "-O1",
        "-g",
        "-fPIC",
        *shared,
        *(f"-I{folder}" for folder in sorted(include)),
        str(source),
        "-o",
        str(target),
    ]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)}\n{result.stdout}{result.stderr}")


def lay_out(archive: Path, scratch: Path) -> None:
    """Make the tree described above at *scratch*, replacing what is there."""
    package = scratch / "greenlet"
    installed = installed_package()
    shutil.rmtree(scratch, ignore_errors=True)
    # The reference installs a copy of its tests and of its sources; neither belongs in the tree.
    shutil.copytree(
        installed, package, ignore=shutil.ignore_patterns("tests", "platform", "__pycache__", "*.cpp", "*.hpp")
    )
    sdist.unpack_tests(archive, package)
    for name, source, variable, default in EXTENSIONS:
        compiler = shlex.split(os.environ.get(variable) or default)
        compile_extension(name, package / "tests" / source, compiler)
