"""Programs that misuse greenlets in unusual ways (odd_programs.py) neither crash nor hang."""

import pytest
from stress.odd_programs import PROGRAMS
from support.processes import run_script, stress_script


def test_there_are_programs():
    assert len(PROGRAMS) >= 48


@pytest.mark.parametrize("name", PROGRAMS)
def test_survives(name):
    if missing := PROGRAMS.missing(name):
        pytest.skip(f"needs {missing}")
    done = run_script(stress_script("odd_programs.py"), name)
    assert done.returncode == 0 and done.stdout.endswith(f"{name}: survived\n"), done.stdout + done.stderr[-3000:]
