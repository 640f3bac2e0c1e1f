"""Compiles the clients of the C API in tests/capi with the headers of the interpreter and the installed package."""

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
    """Return the paths of each installed greenlet.h."""
    return [Path(file.locate()).resolve() for file in files("greenlet") if file.name == "greenlet.h"]


def include_folders():
    """Return the folders with an installed greenlet/greenlet.h: that of the package, and that of installed headers."""
    return sorted({header.parent.parent for header in greenlet_headers() if header.parent.name == "greenlet"})


def find_compiler(variable):
    """Return the command of the compiler that built CPython (its CC or CXX), or of the system's compiler."""
    default = "c++" if variable == "CXX" else "cc"
    command = shlex.split(sysconfig.get_config_var(variable) or default)
    if shutil.which(command[0]) is None:
        command = [default]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no compiler: {default}")
    return command


def compile_extension(source, folder, include=None):
    """Compile *source*, a path or a file of tests/capi, as an extension module. Returns its path."""
    source = ROOT / "tests" / "capi" / source
    is_cpp = source.suffix == ".cpp"
    target = folder / (source.stem + sysconfig.get_config_var("EXT_SUFFIX"))
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
        str(source),
        "-o",
        str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"
    return target


def load(path):
    """Import the module in the file *path*."""
    spec = importlib.util.spec_from_file_location(path.name.split(".")[0], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
