"""Memory runs out at each allocation in turn: MemoryError is raised, and nothing is changed or leaked."""

import pytest
from stress.allocations import FIRST_USE, SCENARIOS
from support.processes import output_of_script, output_of_stress, stress_script

pytest.importorskip("_testcapi", reason="this CPython has no module that makes allocations fail")


def exhaust(name):
    output = output_of_script(stress_script("allocations.py"), name)
    assert output.startswith(f"{name}: ") and output.endswith(" failures\n")


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_failing_allocation_is_a_memory_error_and_no_more(name):
    exhaust(name)


def test_a_thread_that_has_no_memory_to_begin_with_greenlets_can_try_again():
    # It once crashed when the second lookup of the module's state failed, or raised RuntimeError.
    exhaust(FIRST_USE)


def test_an_import_that_runs_out_of_memory_can_be_tried_again():
    # The next import once had no type and set no exception. CPython 3.11 to 3.13 do not always set one themselves.
    *failures, word = output_of_stress("imports.py").split()
    assert int(failures[-1]) > 100 and word == "failures"
