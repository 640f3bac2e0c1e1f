"""Callbacks that switch, throw, kill, re-parent, trace, collect or fail, in each place where Python calls back."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "stress" / "hostile.py"
PLACES = [after.split("(")[0] for after in SCRIPT.read_text().split("\n@place\ndef ")[1:]]


def test_there_are_places():
    assert len(PLACES) >= 37


@pytest.mark.parametrize("place", PLACES)
def test_hostile(place):
    done = subprocess.run([sys.executable, str(SCRIPT), place], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=180)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
    assert done.stdout.startswith("hostile: ") and done.stdout.endswith(" cases\n")
