"""The type stubs describe what is there: mypy's stubtest compares them with the modules."""

import subprocess
import sys

import pytest


def test_stubs_agree_with_the_modules(tmp_path):
    pytest.importorskip("mypy.stubtest", reason="mypy is not to be had for this interpreter")
    # Elsewhere than in the tree, whose sources mypy would take for a second copy of the package.
    result = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "--concise", "greenlet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
