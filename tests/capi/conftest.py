"""Compiles the clients of the C API with the headers of the running interpreter and of the installed package."""

import importlib.util
import shlex
import shutil
import subprocess
import sysconfig
from importlib.metadata import files
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def include_folders():
    """The folders that have an installed greenlet/greenlet.h: beside the package, and where headers are installed."""
    headers = [Path(file.locate()).resolve() for file in files("greenlet") if file.name == "greenlet.h"]
    return sorted({header.parent.parent for header in headers if header.parent.name == "greenlet"})


def compile_extension(source, folder, include):
    """Compile *source* of this folder as an extension module, and return its path."""
    is_cpp = source.endswith(".cpp")
    command = shlex.split(sysconfig.get_config_var("CXX" if is_cpp else "CC") or ("c++" if is_cpp else "cc"))
    if shutil.which(command[0]) is None:
        command = ["c++" if is_cpp else "cc"]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no compiler: {command[0]}")
    target = folder / (source.split(".")[0] + sysconfig.get_config_var("EXT_SUFFIX"))
    command += [
        "-shared", "-fPIC", "-O1", "-g", "-Wall", "-Werror=incompatible-pointer-types" if not is_cpp else "-std=c++17",
        f"-I{include}", f"-I{sysconfig.get_path('include')}",
        str(HERE / source), "-o", str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"
    return target


def load(path):
    name = path.name.split(".")[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def compile_client():
    compile_extension.include_folders = include_folders()
    return compile_extension


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    return load(compile_extension("client.c", tmp_path_factory.mktemp("capi"), include_folders()[0]))


@pytest.fixture(scope="session")
def client_cpp(tmp_path_factory):
    return load(compile_extension("client_cpp.cpp", tmp_path_factory.mktemp("capi"), include_folders()[0]))


@pytest.fixture(scope="session")
def static_subclass(tmp_path_factory):
    folder = tmp_path_factory.mktemp("static_subclass")
    return load(compile_extension("static_subclass.c", folder, include_folders()[0]))
