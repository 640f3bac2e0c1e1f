"""Memory that runs out at each allocation in turn: MemoryError, nothing changed, nothing lost."""

import subprocess
import sys
from pathlib import Path

import pytest
from support import output_of_stress

pytest.importorskip("_testcapi", reason="this CPython came without the module that makes allocations fail")

SCRIPT = Path(__file__).parent / "stress" / "allocations.py"
sys.path.insert(0, str(SCRIPT.parent))
try:
    from allocations import FIRST_USE, SCENARIOS
finally:
    sys.path.remove(str(SCRIPT.parent))


def exhaust(name):
    done = subprocess.run([sys.executable, str(SCRIPT), name], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
    assert done.stdout.startswith(f"{name}: ") and done.stdout.endswith(" failures\n")


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_failing_allocation_is_a_memory_error_and_no_more(name):
    exhaust(name)


def test_a_thread_that_has_no_memory_to_begin_with_greenlets_can_try_again():
    # It crashed when looking for the module's state failed the second time; and it said RuntimeError.
    exhaust(FIRST_USE)


def test_an_import_that_runs_out_of_memory_can_be_tried_again():
    # It left the next ones without a type and without an exception; and CPython 3.11 to 3.13 do not always set one themselves.
    *failures, word = output_of_stress("imports.py").split()
    assert int(failures[-1]) > 100 and word == "failures"
