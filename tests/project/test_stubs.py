"""The type stubs match the modules: mypy's stubtest compares them."""

import subprocess
import sys

import pytest


def test_stubs_agree_with_the_modules(tmp_path):
    pytest.importorskip("mypy.stubtest", reason="mypy is not available for this interpreter")
    # Runs outside of the tree, whose sources mypy would take for a second copy of the package.
    result = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "--concise", "greenlet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
