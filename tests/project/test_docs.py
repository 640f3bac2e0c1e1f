"""The Python code of the documentation does what the pages say.

Each block of Python in README.md and docs/ is run, a page in order and in one namespace:

    ```python       with `>>>`: runs as a doctest (`...` stands for anything); otherwise runs as a script
    ```text         directly after such a script: its exact output; without one the script must print nothing

A block that is not run has another word after its backquotes, or none. Each page is run in a process of its own.
"""

import contextlib
import doctest
import io
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]  # not support.environment: this file is also run as a program
NEEDED = {"docs/how-to/hangs.md": "gevent"}  # packages that not every interpreter has

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    str(page.relative_to(ROOT))
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if any(kind == "python" for kind, _ in FENCED.findall(page.read_text()))
]


def test_there_are_pages_with_code():
    assert len(PAGES) >= 15


def test_no_code_is_left_out():
    """A block that is indented, as in a list, would not be run."""
    for page in (ROOT / "docs").rglob("*.md"):
        assert not re.search(r"^ +```python", page.read_text(), re.MULTILINE), page


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(page):
    if page in NEEDED:
        pytest.importorskip(NEEDED[page], exc_type=ImportError)
        pytest.importorskip("ssl", reason="gevent needs ssl to replace all modules, and this CPython lacks it")
    done = subprocess.run([sys.executable, __file__, ROOT / page], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert re.fullmatch(r"[1-9]\d* blocks of Python\n", done.stdout)


def test_a_wrong_page_is_noticed(tmp_path):
    good = "```python\nx = 1\nprint(x)\n```\n\n```text\n1\n```\n\n```python\n>>> x\n1\n```\n"
    for wrong in (
        good.replace("text\n1", "text\n2"),
        good.replace(">>> x\n1", ">>> x\n2"),
        good.replace("x = 1", "x ="),
        good.replace("```text\n1\n```", ""),
    ):
        page = tmp_path / "page.md"
        page.write_text(wrong)
        done = subprocess.run([sys.executable, __file__, page], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0, wrong


def run_page(path):
    """Run the blocks of a page. Returns their number; raises AssertionError, or the exception of a block."""
    page = path.read_text()
    namespace = {"__name__": "__main__"}
    blocks = list(FENCED.finditer(page))
    count = 0
    for i, block in enumerate(blocks):
        kind, code = block.groups()
        if kind != "python":
            continue
        count += 1
        line = page.count("\n", 0, block.start(2))
        if re.search(r"^\s*>>>", code, re.MULTILINE):
            run_dialogue(code, namespace, path, line)
            continue
        follower = blocks[i + 1] if i + 1 < len(blocks) else None
        has_output = follower is not None and follower[1] == "text"
        run_script(code, namespace, path, line, follower[2] if has_output else "")
    return count


def run_dialogue(code, namespace, path, line):
    test = doctest.DocTestParser().get_doctest(code, namespace, path.name, str(path), line)
    test.globs = namespace  # not a copy
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    failures = io.StringIO()
    runner.run(test, out=failures.write, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, failures.getvalue()


def run_script(code, namespace, path, line, expected):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * line + code, str(path), "exec"), namespace)
    assert printed.getvalue() == expected, f"{path}, line {line + 1}: it prints\n{printed.getvalue()}"


if __name__ == "__main__":
    print(run_page(pathlib.Path(sys.argv[1])), "blocks of Python")
