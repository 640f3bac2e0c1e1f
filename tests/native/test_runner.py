"""The runner of native code: its list of cases, reading and judging outcomes, and the search for depths."""

import json
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import verdicts
from case import CASES, as_deep, case, close, pypi
from child import load_cases
from journal import deepest
from verdicts import Outcome, Result


def an_example(**options):
    """Return a case that is not in the list."""

    def function():
        """An example."""

    case(pypi("example"), **options)(function)
    return CASES.pop()


def test_cases_have_names_of_their_own_and_say_what_they_do():
    cases = load_cases()
    assert len({case.name for case in cases}) == len(cases) > 100
    assert all(case.summary.endswith(".") for case in cases)


@pytest.mark.parametrize(
    "entries, status, kind, words",
    [
        ([{"result": 1}], 0, "result", "works"),
        ([{"result": 2}], 0, "result", "another result"),
        ([{"raised": "ValueError", "text": "text"}], 1, "raised", "ValueError"),
        ([{"unavailable": "not available"}], 0, "not available", "not available"),
        ([{"step": "first"}, {"step": "second"}], -signal.SIGSEGV, "crashed", "SIGSEGV at second"),
        ([], -signal.SIGABRT, "crashed", "SIGABRT"),
        ([{"result": 1}], -signal.SIGSEGV, "crashed", "SIGSEGV at the end"),
        ([{"step": "first"}], 3, "crashed", "exit status 3 at first"),
        ([], 0, "crashed", "exit status 0"),
        ([{"step": "first"}], None, "timed out", "timed out at first"),
    ],
)
def test_an_outcome_is_read_from_the_journal_and_the_status(entries, status, kind, words, tmp_path):
    journal = tmp_path / "journal"
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    outcome = verdicts.read(journal, status)
    assert outcome.kind == kind
    result = Result(an_example(), {"plainly": Outcome("result", value=1), "here": outcome})
    assert result.describe("here") == words
    assert result.is_good == (words == "works")


WORKS, CRASHES = Outcome("result", value=1), Outcome("crashed", text="SIGSEGV")


@pytest.mark.parametrize(
    "plainly, here, on_thread_stack, good",
    [
        (WORKS, WORKS, None, True),
        (WORKS, CRASHES, None, False),
        (WORKS, CRASHES, WORKS, True),
        (WORKS, CRASHES, CRASHES, False),
        (WORKS, CRASHES, Outcome("not available"), False),
        (CRASHES, CRASHES, None, True),
    ],
)
def test_what_works_plainly_must_work_here_or_on_the_stack_of_the_thread(plainly, here, on_thread_stack, good):
    outcomes = {"plainly": plainly, "here": here}
    if on_thread_stack:
        outcomes["on_thread_stack"] = on_thread_stack
    assert Result(an_example(), outcomes).is_good == good


def test_depths_may_differ_by_a_twentieth():
    assert as_deep(1000, 950) and as_deep(1000, 2000) and not as_deep(1000, 949)
    assert as_deep([100, 1000], [99, 1000]) and not as_deep([100, 1000], [90, 1000]) and not as_deep([100], [100, 100])


def test_numbers_may_differ_by_rounding():
    assert close([1.0, 0.0], [1.0 + 1e-9, 1e-12]) and not close([1.0], [1.01]) and not close([1.0], [1.0, 1.0])


@pytest.mark.parametrize("limit", [0, 1, 2, 99, 100, 1000])
def test_the_greatest_depth_is_found(limit):
    def function(depth):
        if depth > limit:
            raise KeyError

    assert deepest(function, 100, KeyError) == min(limit, 100)


def test_other_errors_are_not_taken_for_a_limit():
    with pytest.raises(ZeroDivisionError):
        deepest(lambda depth: 1 // 0, 100, KeyError)
