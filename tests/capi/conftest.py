"""Compiles clients of the C API and imports them."""

import pytest
from support.extensions import compile_extension, load


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    return load(compile_extension("client.c", tmp_path_factory.mktemp("client")))


@pytest.fixture(scope="session")
def client_cpp(tmp_path_factory):
    return load(compile_extension("client_cpp.cpp", tmp_path_factory.mktemp("client_cpp")))
