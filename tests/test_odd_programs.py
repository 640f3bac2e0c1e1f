"""Programs that do with greenlets what nobody should (tests/stress/odd_programs.py) neither crash nor hang."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "stress" / "odd_programs.py"
PROGRAMS = [after.split("(")[0] for after in SCRIPT.read_text().split("\n@program\ndef ")[1:]]


def test_there_are_programs():
    assert len(PROGRAMS) >= 48


@pytest.mark.parametrize("name", PROGRAMS)
def test_survives(name):
    done = subprocess.run([sys.executable, str(SCRIPT), name], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0 and done.stdout.endswith(f"{name}: survived\n"), done.stdout + done.stderr[-3000:]
