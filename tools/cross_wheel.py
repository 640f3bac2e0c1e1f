"""Wheels for interpreters that can't build or install them alone: of other processors, or without ssl or pip.

pip, CMake and the compilers are those of this system. What only needs Python is run by the interpreter itself.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tools import environment

# What builds the package, without what is compiled for a processor.
BUILDERS = ["scikit-build-core>=0.11"]


def install(version: str, platforms: list[str], folder: Path, *arguments: object) -> None:
    """Install packages in *folder*, as the pip of a CPython of a *version* would that takes wheels for *platforms*."""
    environment.pip(
        environment.release(),
        *("install", "--only-binary", ":all:", "--target", folder, f"--python-version={version}"),
        *("--implementation=cp", f"--abi=cp{version.replace('.', '')}", "--abi=abi3", "--abi=none"),
        *(*(f"--platform={platform}" for platform in platforms), *arguments),
    )


def build(python: Path, builders: Path, source: Path, folder: Path, settings: dict[str, str]) -> Path:
    """Build the wheel of *source* by an interpreter.

    Parameters:
        python: the interpreter.
        builders: the folder that BUILDERS are installed in.
        source: the folder of the package's source.
        folder: gets the wheel, and is emptied before; build files are kept beside it.
        settings: what CMake is to define.
    Returns:
        The path of the wheel.
    Raises:
        RuntimeError: the wheel can't be built; the text has the output.
    """
    shutil.rmtree(folder, ignore_errors=True)
    options = {"build-dir": str(folder.with_name("cmake"))}
    options |= {f"cmake.define.{key}": value for key, value in settings.items()}
    program = f"from scikit_build_core.build import build_wheel; build_wheel({str(folder)!r}, {options!r})"
    tools = environment.build().parent  # CMake and Ninja
    done = subprocess.run(
        [python, "-c", program],
        cwd=source,
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": str(builders),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the wheel can't be built by {python}\n{done.stdout}")
    [made] = folder.glob("*.whl")
    return made
