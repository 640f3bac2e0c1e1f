"""The type stubs match the modules: mypy's stubtest compares them."""

import os
import subprocess
import sys

import pytest

# Stands in for gdb's own modules, which only gdb has: stubtest imports every module, greenlet._gdb too.
GDB = {
    "__init__.py": "class Command:\n    def __init__(self, *_): ...\n\n\nCOMMAND_STACK = 0\n",
    "unwinder.py": "class Unwinder:\n    def __init__(self, *_): ...\n\n\ndef register_unwinder(*_, **__): ...\n",
}


def test_stubs_agree_with_the_modules(tmp_path):
    pytest.importorskip("mypy.stubtest", reason="mypy is not available for this interpreter")
    pytest.importorskip("sqlite3", reason="mypy needs sqlite3, which this CPython lacks")
    gdb = tmp_path / "gdb"
    gdb.mkdir()
    for name, text in GDB.items():
        (gdb / name).write_text(text)
    # Runs outside of the tree, whose sources mypy would take for a second copy of the package.
    result = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "--concise", "greenlet"],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(tmp_path), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
