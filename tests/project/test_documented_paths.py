"""The functions that pages and comments name exist in the files that they name."""

import ast
import re

import pytest
from support.environment import ROOT

pytestmark = pytest.mark.skipif(not (ROOT / "src").is_dir(), reason="needs the source tree")


def is_defined(name, path):
    """Return whether a function, a method or a label of that name is defined or declared in a file."""
    text = path.read_text()
    text = re.sub(r"^\s*(//|#).*$", "", text, flags=re.MULTILINE)
    return re.search(rf"(?<![\w.>]){re.escape(name.split('::')[-1])}(\(|:)", text) is not None


def steps_of_comment():
    comment = (ROOT / "src/core/switch.hpp").read_text().split("#pragma once")[0]
    return re.findall(r"^//     (\S+\.\w+)\s+([\w:]+)\s+\S", comment, re.MULTILINE)


def steps_of_page():
    """Return each name in backticks, with the next file in parentheses after it."""
    page = (ROOT / "docs/explanation/design.md").read_text()
    paragraph = re.search(r"To follow one switch: (.*?)\n\n", page, re.DOTALL)[1]
    steps = []
    for names, file in re.findall(r"([^()]*)\(`(src/[^`]+)`\)", paragraph):
        steps += [(file, name) for name in re.findall(r"`([\w:]+)`", names)]
    return steps


def test_the_path_of_a_switch_is_told():
    assert len(steps_of_comment()) >= 8
    assert len(steps_of_page()) >= 8
    assert {name for _, name in steps_of_page()} <= {name for _, name in steps_of_comment()}


@pytest.mark.parametrize(("file", "name"), steps_of_comment() if (ROOT / "src").is_dir() else [])
def test_a_step_of_the_path_in_the_comment_exists(file, name):
    assert is_defined(name, ROOT / "src" / file)


@pytest.mark.parametrize(("file", "name"), steps_of_page() if (ROOT / "src").is_dir() else [])
def test_a_step_of_the_path_in_the_page_exists(file, name):
    assert is_defined(name, ROOT / file)


PAGES = sorted(str(page.relative_to(ROOT)) for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page):
    text = (ROOT / page).read_text()
    for path in re.findall(r"`((?:src|tests|tools|benchmarks|docs|examples|python)/[\w./-]*\w)`", text):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`(\w+/test_\w+\.py)`", text):
        assert (ROOT / "tests" / path).exists(), path
    for name in re.findall(r"`(test_\w+\.py)`", text):
        assert list((ROOT / "tests").rglob(name)), name


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_to_files(page):
    """The site's links to headings are checked by `make docs`."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert ((ROOT / page).parent / target).exists(), target


def test_source_files_name_pages_that_exist():
    for folder in ("src", "python", "tools", "tests", "benchmarks", "examples"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".cpp", ".hpp", ".toml", ".h", ".c"):
                for page in re.findall(r"docs/[\w/-]+\.md", path.read_text()):
                    assert (ROOT / page).exists(), (path, page)


def test_docstrings_name_no_file_that_a_wheel_lacks():
    for path in (ROOT / "python").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                assert not re.search(r"\b(docs|examples|src|tests|tools)/", ast.get_docstring(node) or ""), path
    for path in (ROOT / "src").rglob("*.cpp"):
        for text in re.findall(r"PyDoc_STRVAR\((.*?)\);", path.read_text(), re.DOTALL):
            assert not re.search(r"\b(docs|examples|src|tests|tools)/", text), path
