"""Calls between the modules of the tools and of the benchmarks fit the functions: mypy finds those that don't.

Most of these modules run rarely, and some need what a test machine has not.
"""

import os
import subprocess
import sys

import pytest
from support.environment import ROOT

# What mypy calls a wrong number or name of arguments, and a name that is nowhere.
FAULTS = ("[call-arg]", "[name-defined]")


@pytest.mark.parametrize(
    ("folder", "modules"), [(".", ["tools"]), ("benchmarks", ["run.py", "report.py"])], ids=["tools", "benchmarks"]
)
def test_calls_fit(folder, modules, tmp_path):
    pytest.importorskip("mypy", reason="mypy is not available for this interpreter")
    pytest.importorskip("sqlite3", reason="mypy needs sqlite3, which this CPython lacks")
    settings = ("--check-untyped-defs", "--ignore-missing-imports", "--explicit-package-bases", "--no-error-summary")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *settings, "--cache-dir", tmp_path, *modules],
        cwd=ROOT / folder,
        env={**os.environ, "MYPYPATH": os.pathsep.join([str(ROOT), str(ROOT / folder)])},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line.endswith(FAULTS)] == []
