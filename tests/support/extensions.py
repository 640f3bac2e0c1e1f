"""Compiles the clients of the C API in tests/capi with the headers of the running interpreter and of the installed package."""

import importlib.util
import shlex
import shutil
import subprocess
import sysconfig
from importlib.metadata import files
from pathlib import Path

import pytest
from support.environment import ROOT


def greenlet_headers():
    """Each greenlet.h that is installed."""
    return [Path(file.locate()).resolve() for file in files("greenlet") if file.name == "greenlet.h"]


def include_folders():
    """The folders that have an installed greenlet/greenlet.h: beside the package, and where headers are installed."""
    return sorted({header.parent.parent for header in greenlet_headers() if header.parent.name == "greenlet"})


def find_compiler(variable):
    """The command of the compiler that CPython was built with, in the configuration variable CC or CXX, or of the system's own."""
    default = "c++" if variable == "CXX" else "cc"
    command = shlex.split(sysconfig.get_config_var(variable) or default)
    if shutil.which(command[0]) is None:
        command = [default]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no compiler: {default}")
    return command


def compile_extension(source, folder, include=None):
    """Compiles *source* of tests/capi as an extension module, and returns its path."""
    is_cpp = source.endswith(".cpp")
    target = folder / (source.split(".")[0] + sysconfig.get_config_var("EXT_SUFFIX"))
    command = [
        *find_compiler("CXX" if is_cpp else "CC"),
        "-shared",
        "-fPIC",
        "-O1",
        "-g",
        "-Wall",
        "-Werror=incompatible-pointer-types" if not is_cpp else "-std=c++17",
        f"-I{include or include_folders()[0]}",
        f"-I{sysconfig.get_path('include')}",
        str(ROOT / "tests" / "capi" / source),
        "-o",
        str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"
    return target


def load(path):
    """The module in the file *path*."""
    spec = importlib.util.spec_from_file_location(path.name.split(".")[0], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
