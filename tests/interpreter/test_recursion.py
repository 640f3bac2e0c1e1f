"""The recursion limit, and deep use of stacks."""

import gc
import json
import signal
import sys

import pytest
from stress.recursion import CASES
from support.environment import HAS_ADDRESS_SANITIZER
from support.frames import deepest
from support.greenlets import suspended
from support.processes import run_script, stress_script

from greenlet import getcurrent, greenlet


def down(depth):
    """Recurse *depth* levels through Python functions only."""
    return down(depth - 1) + 1 if depth else 0


def down_through_c(depth):
    return max(map(down_through_c, [depth - 1])) + 1 if depth else 0


def lift_the_limit():
    """Raise the recursion limit, so that only the C stack limits recursion.

    CPython 3.11 does not check it, and would crash.
    """
    if sys.version_info >= (3, 12):
        sys.setrecursionlimit(10_000_000)


@pytest.fixture
def recursion_limit():
    before = sys.getrecursionlimit()
    yield sys.setrecursionlimit
    sys.setrecursionlimit(before)


def test_the_limit_can_be_reached_in_a_greenlet():
    assert deepest() > 0
    assert greenlet(deepest).switch() > deepest()


def test_the_error_can_be_caught_again_and_again():
    def run():
        return [deepest() for _ in range(10)]

    depths = greenlet(run).switch()
    assert len(set(depths)) == 1


def test_the_error_reaches_the_parent():
    def run():
        run()

    with pytest.raises(RecursionError):
        greenlet(run).switch()
    assert deepest() > 0


def test_each_greenlet_has_the_whole_limit():
    main_depth = deepest()

    def nested(depth):
        if depth:
            return nested(depth - 1)
        return greenlet(deepest).switch()

    assert nested(main_depth // 2) >= main_depth


def test_depth_is_not_mixed_up_by_switches():
    main = getcurrent()

    def run(depth):
        if depth:
            return run(depth - 1)
        while True:
            main.switch()

    before = deepest()
    deep = suspended(run, before // 2)
    for _ in range(10):
        deep.switch()
    assert abs(deepest() - before) <= 1
    del deep
    assert abs(deepest() - before) <= 1


def test_depth_is_not_mixed_up_by_deaths_and_exceptions():
    before = deepest()

    def failing(depth):
        if depth:
            failing(depth - 1)
        raise LookupError

    for _ in range(100):
        greenlet(len).throw()
        greenlet(down).switch(50)
        with pytest.raises(LookupError):
            greenlet(failing).switch(50)
    assert abs(deepest() - before) <= 1


def test_a_higher_limit_reaches_suspended_greenlets(recursion_limit):
    main = getcurrent()

    def run():
        first = deepest()
        main.switch()
        return first, deepest()

    g = suspended(run)
    recursion_limit(sys.getrecursionlimit() + 500)
    first, second = g.switch()
    assert second == first + 500


def test_a_lower_limit_reaches_suspended_greenlets(recursion_limit):
    main = getcurrent()

    def run():
        first = deepest()
        main.switch()
        return first, deepest()

    g = suspended(run)
    recursion_limit(sys.getrecursionlimit() - 100)
    first, second = g.switch()
    assert second == first - 100


def test_the_limit_can_be_set_in_a_greenlet(recursion_limit):
    before = deepest()

    def run():
        recursion_limit(sys.getrecursionlimit() + 300)

    greenlet(run).switch()
    assert deepest() == before + 300


def test_python_recursion_can_be_very_deep(recursion_limit):
    recursion_limit(60_000)
    assert greenlet(down).switch(50_000) == 50_000


def test_deep_greenlets_can_be_suspended_side_by_side(recursion_limit):
    recursion_limit(20_000)

    def nested(depth):
        if depth:
            return nested(depth - 1) + 1
        return getcurrent().parent.switch()

    greenlets = [suspended(nested, 10_000) for _ in range(10)]
    gc.collect()
    assert [g.switch(0) for g in greenlets] == [10_000] * 10


def test_recursion_through_c_is_stopped_before_the_stack_ends(recursion_limit):
    lift_the_limit()

    def run():
        with pytest.raises(RecursionError):
            down_through_c(10_000_000)
        return down(100)

    assert greenlet(run).switch() == 100


def test_recursion_through_c_has_room_for_a_reasonable_depth():
    assert greenlet(down_through_c).switch(200) == 200


@pytest.mark.parametrize("kind", ["list", "repr", "json", "comparison", "parser", "attribute"])
def test_recursion_of_c_functions_is_stopped(kind, recursion_limit, stack_size):
    lift_the_limit()
    if kind == "parser" and HAS_ADDRESS_SANITIZER:
        stack_size(4 << 20)  # CPython's parser has a fixed limit, which is too high for 1 MiB then, in a thread too
    # On 3.14 a thread's stack holds a comparison of 100,000 levels.
    nested = []
    for _ in range(500_000):
        nested = [nested]
    twin = []
    for _ in range(500_000):
        twin = [twin]

    class Endless:
        def __getattr__(self, name):
            return getattr(self, name + "x")

    attempts = {
        "list": lambda: str(nested),
        "repr": lambda: repr(nested),
        "json": lambda: json.dumps(nested, check_circular=False),
        "comparison": lambda: nested == twin,
        "parser": lambda: compile("-" * 100_000 + "1", "deep", "eval"),
        "attribute": lambda: Endless().name,
    }

    def run():
        with pytest.raises((RecursionError, MemoryError, SyntaxError)):
            attempts[kind]()
        return "survived"

    assert greenlet(run).switch() == "survived"


def test_deallocation_of_deeply_nested_containers_is_safe():
    def run():
        nested = None
        for _ in range(200_000):
            nested = [nested]
        del nested
        return "survived"

    assert greenlet(run).switch() == "survived"


def test_a_switch_in_a_nested_deallocation_is_safe():
    main = getcurrent()
    deleted = []

    class Switcher:
        def __init__(self, inner):
            self.inner = inner

        def __del__(self):
            deleted.append(1)
            if len(deleted) % 1000 == 0:
                main.switch()

    def run():
        nested = None
        for _ in range(5_000):
            nested = Switcher([(nested,)])
        del nested

    g = greenlet(run)
    g.switch()
    while g:
        trash = None
        for _ in range(1_000):
            trash = [trash]
        del trash
        g.switch()
    assert len(deleted) == 5_000


@pytest.mark.skipif(sys.version_info < (3, 12), reason="CPython 3.11 has one limit for all kinds of recursion")
def test_deeper_stacks_allow_deeper_recursion_through_c(stack_size, recursion_limit):
    lift_the_limit()
    reached = {}

    def run(size):
        depth = 0

        def recurse(_):
            nonlocal depth
            depth += 1
            max(map(recurse, [0]))

        with pytest.raises(RecursionError):
            recurse(0)
        reached[size] = depth

    for size in (256 << 10, 1 << 20, 4 << 20):
        stack_size(size)
        greenlet(run).switch(size)
    first, second, third = reached.values()
    assert first <= second <= third and first < third


# Cases in which some or all versions of CPython do not check the stack, or a counted level takes more stack than
# assumed. A thread of 1 MiB crashes in them too.
UNWATCHED = {
    "chain_of_generators",
    "chain_of_maps",
    "destructor_of_generators",
    "hash_of_tuple",
    "sort_comparison",
    "sort_key",
}
if HAS_ADDRESS_SANITIZER:
    UNWATCHED.add("compile_unary")


def recurse(case, where, **environment):
    """Run the *case* of the script *where* it says. Returns the outcome, or None for a crash."""
    done = run_script(stress_script("recursion.py"), case, where, timeout=60, **environment)
    if done.returncode == -signal.SIGSEGV or (
        HAS_ADDRESS_SANITIZER and "ERROR: AddressSanitizer: stack-overflow" in done.stderr
    ):
        return None
    assert done.returncode == 0, done
    return done.stdout.strip()


def test_there_are_cases():
    assert len(CASES) >= 32 and UNWATCHED < set(CASES)


@pytest.mark.skipif(sys.platform == "win32", reason="each crash starts Wine's debugger, which takes a minute")
@pytest.mark.parametrize("stack", ["1M", "8M"])
@pytest.mark.parametrize("case", CASES)
def test_a_greenlet_is_as_safe_as_a_thread_with_a_stack_of_that_size(case, stack):
    of_thread = recurse(case, "thread", GREENLET_STACK_SIZE=stack)
    of_greenlet = recurse(case, "greenlet", GREENLET_STACK_SIZE=stack)
    assert of_greenlet is not None or case in UNWATCHED
    if of_thread is not None:
        assert of_greenlet == of_thread


@pytest.mark.skipif(sys.platform == "win32", reason="the stacks of 3 MB there are too small, a thread's too")
@pytest.mark.parametrize("case", ["sort_comparison", "sort_key"])
def test_the_default_stack_is_enough_for_sorting(case):
    assert recurse(case, "greenlet") == "RecursionError"


def test_recursion_is_an_error_while_a_greenlet_waits_in_the_making_of_an_exception():
    # The interpreter once took it for recursion in creating the exception, and ended the process.
    class Raised(Exception):
        def __init__(self, text):
            main.switch(text)

    def run():
        main.throw(Raised, "text")

    def down():
        down()

    main = getcurrent()
    g = greenlet(run)
    assert g.switch() == "text"
    with pytest.raises(RecursionError):
        down()
    with pytest.raises(RecursionError):
        greenlet(down).switch()
    with pytest.raises(Raised):
        g.switch()
