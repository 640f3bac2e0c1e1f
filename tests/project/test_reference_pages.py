"""The pages of docs/reference/ that are written by hand name everything that they are about. (`make docs` checks those
that are made of docstrings.)"""

import inspect
import re
import subprocess
import sys

import pytest
from support.environment import ROOT

import greenlet
import greenlet.generators
import greenlet.stackless

PAGES = ROOT / "docs/reference"

pytestmark = pytest.mark.skipif(not (ROOT / "src").is_dir(), reason="needs the source tree")


def test_the_page_of_the_c_api_names_everything_in_the_header():
    header = (ROOT / "include/greenlet.h").read_text()
    names = set(re.findall(r"^ *#define (Py(?!_)\w+|GREENLET_VERSION)", header, re.MULTILINE))
    names = {name for name in names if not name.endswith("_NUM")}
    page = (PAGES / "c-api.md").read_text()
    assert len(names) >= 17
    assert {name for name in names if not re.search(rf"\b{name}\b", page)} == set()


def test_the_page_of_environment_variables_names_each():
    settings = (ROOT / "src/core/settings.cpp").read_text()
    names = set(re.findall(r'"(GREENLET_\w+)"', settings))
    page = (PAGES / "environment.md").read_text()
    assert len(names) >= 3
    assert {name for name in names if f"| `{name}` |" not in page} == set()


def test_the_page_of_the_command_line_names_each_command():
    done = subprocess.run([sys.executable, "-m", "greenlet", "--help"], capture_output=True, text=True, check=True)
    commands = {*re.findall(r"^    (\w+) ", done.stdout, re.MULTILINE), "trace"}
    assert len(commands) >= 4
    page = (PAGES / "command-line.md").read_text()
    assert {command for command in commands if f"`python -m greenlet {command} " not in page} == set()


@pytest.mark.parametrize("module", [greenlet, greenlet.generators, greenlet.stackless])
def test_the_example_in_the_docstring_of_a_module_runs(module):
    example = re.search(r"::\n\n((?:    .*\n|\n)+)", inspect.getdoc(module))[1]
    code = inspect.cleandoc(example).replace("\n    ...", "\n    pass")
    code = code.replace("labels(tree)", "labels(((None, 1, None), 2, None))")
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=60)
