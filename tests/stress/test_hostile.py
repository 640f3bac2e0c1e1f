"""Callbacks that switch, throw, kill, re-parent, trace, collect or fail, in each place where Python calls back."""

import pytest
from stress.hostile import PLACES
from support.processes import output_of_script, stress_script


def test_there_are_places():
    assert len(PLACES) >= 37


@pytest.mark.parametrize("place", PLACES)
def test_hostile(place):
    output = output_of_script(stress_script("hostile.py"), place, timeout=180)
    assert output.startswith("hostile: ") and output.endswith(" cases\n")
