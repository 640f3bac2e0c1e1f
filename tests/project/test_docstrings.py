"""Docstrings, which `help()` shows and the reference pages are made of, describe everything a caller needs."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import greenlet

MODULES = ["greenlet", "greenlet.aio", "greenlet.generators", "greenlet.inspect", "greenlet.stackless"]
STUBS = {"greenlet": "_greenlet"}  # by default a stub has the name of its module
SECTIONS = r"^(Parameters|Attributes|Returns|Raises):$"


def public_functions():
    """Return (qualified name, function) of the functions, classes and methods in the modules."""
    for name in MODULES:
        module = importlib.import_module(name)
        for public in module.__all__:
            value = getattr(module, public)
            if inspect.ismodule(value) or not callable(value):
                continue
            if not isinstance(value, type):
                yield f"{name}.{public}", value
                continue
            for method, function in vars(value).items():
                if not method.startswith("_") and callable(function) and not isinstance(function, type):
                    if getattr(value, "__doc__", None) and not hasattr(greenlet, method):
                        yield f"{name}.{public}.{method}", function


def returns_something():
    """Return the qualified names of the functions of which the stubs say that they return a value."""
    found = set()
    folder = Path(greenlet.__path__[0])

    def stub_of(name):
        stub = folder / f"{name}.pyi"
        return ast.parse((stub if stub.is_file() else stub.with_suffix(".py")).read_text()).body

    def visit(body, prefix):
        for node in body:
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}.{node.name}")
            elif isinstance(node, ast.ImportFrom) and node.level == 1 and (node.module or "").startswith("_"):
                visit(stub_of(node.module), prefix)
            elif (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and node.returns
                and ast.unparse(node.returns) != "None"
            ):
                found.add(f"{prefix}.{node.name}")

    for module in MODULES:
        name = STUBS.get(module, module.split(".")[-1])
        visit(stub_of(name), module)
    return found


SOMETHING = returns_something()
FUNCTIONS = dict(public_functions())


def test_the_stubs_are_read():
    assert {
        "greenlet.getcurrent",
        "greenlet.inspect.record",
        "greenlet.inspect.watch",
    } <= SOMETHING & FUNCTIONS.keys()


def sections(text):
    """Return the sections of a docstring by name, "" for what comes before them."""
    parts = re.split(SECTIONS, text, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_are_described(name):
    text = sections(inspect.getdoc(FUNCTIONS[name]) or "")
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        if parameter.name != "self":
            described = rf"^ +(?:\w+, )*\*{{0,2}}{parameter.name}(?:, \w+)*:"
            assert re.search(described, text.get("Parameters", ""), re.MULTILINE), parameter.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_result_is_described(name):
    text = sections(inspect.getdoc(FUNCTIONS[name]) or "")
    assert name not in SOMETHING or "Returns" in text or re.match(r"(Return|True if)\b", text[""])


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_classes_say_what_they_are(module):
    found = importlib.import_module(module)
    classes = [getattr(found, name) for name in found.__all__ if isinstance(getattr(found, name), type)]
    for described in [found, *classes]:
        assert re.match(r"[A-Z`].{20,}\.", (inspect.getdoc(described) or "").replace("\n", " ")), described


@pytest.mark.parametrize("module", MODULES)
def test_attributes_of_classes_are_described(module):
    found = importlib.import_module(module)
    for cls in (getattr(found, name) for name in found.__all__):
        for name, attribute in vars(cls).items() if isinstance(cls, type) else ():
            if inspect.isgetsetdescriptor(attribute) and not name.startswith("__"):
                assert attribute.__doc__, f"{cls}.{name}"
