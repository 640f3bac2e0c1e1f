"""Calls functions in other threads."""

import re
import threading
import time

from greenlet import error


def in_thread(function):
    """Call *function* in a thread of its own. Returns its result, or raises its exception."""
    outcome = []

    def target():
        try:
            outcome.append((function(), None))
        except BaseException as exception:
            outcome.append((None, exception))

    thread = threading.Thread(target=target)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    result, exception = outcome.pop()
    if exception is not None:
        raise exception
    return result


def outcomes_in_threads(function, number=4):
    """Call *function* in *number* threads at once. Returns a list of the results or exceptions."""
    outcomes = []
    together = threading.Barrier(number)

    def target():
        together.wait()
        try:
            outcomes.append(function())
        except Exception as exception:
            outcomes.append(exception)

    threads = [threading.Thread(target=target) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return outcomes


def begun_by_one_of_several_threads(function, result):
    """Call *function*, which starts a generator or coroutine, in threads at once.

    One gets *result*, the others errors.
    """
    outcomes = outcomes_in_threads(function)
    assert outcomes.count(result) == 1
    outcomes.remove(result)
    for refusal in outcomes:
        assert isinstance(refusal, (ValueError, error))
        assert re.search("already executing|different thread", str(refusal))


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert condition()
