"""greenlet.stack_size() and the environment variable GREENLET_STACK_SIZE."""

import ctypes
import mmap
import re
import sys

import pytest
from support.environment import (
    ADDRESSES_ARE_SCARCE,
    HAS_ADDRESS_SANITIZER,
    IS_FREE_THREADED,
    IS_WINDOWS,
    NEEDS_64_BIT_ADDRESSES,
)
from support.greenlets import suspended
from support.processes import output_of, run_python
from support.threads import in_thread

import greenlet as package
from greenlet import getcurrent, greenlet

MINIMUM = 65_536
MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30
REPORT = "import greenlet; print(greenlet.stack_size(), greenlet.greenlet(len).switch('abc'))"


def default_with(limit, soft):
    """Return the default size of stacks in a process with a soft limit of a resource; None is unlimited."""
    return int(
        output_of(
            f"""
        import resource

        def set_limit(name, soft):
            soft = resource.RLIM_INFINITY if soft is None else soft
            resource.setrlimit(name, (soft, resource.getrlimit(name)[1]))

        set_limit(resource.RLIMIT_STACK, 8 << 20)
        set_limit(resource.{limit}, {soft})
        {REPORT}
        """,
            GREENLET_STACK_SIZE="",
        ).split()[0]
    )


@NEEDS_64_BIT_ADDRESSES
@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
@pytest.mark.parametrize(
    ("soft", "default"),
    [
        (4 * MEBIBYTE, 4 * MEBIBYTE),
        (8 * MEBIBYTE, 8 * MEBIBYTE),
        (20 * MEBIBYTE, 20 * MEBIBYTE),
        (5_000_000, 5_001_216),
        (512 << 10, MEBIBYTE),
        (GIBIBYTE, 64 * MEBIBYTE),
    ],
)
def test_the_default_is_what_a_thread_has_within_bounds(soft, default):
    assert default_with("RLIMIT_STACK", soft) == default


@NEEDS_64_BIT_ADDRESSES
@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
def test_the_default_is_8_mebibytes_where_threads_have_no_limit():
    try:
        default = default_with("RLIMIT_STACK", None)
    except AssertionError as error:
        if "exceeds maximum limit" not in str(error):
            raise
        pytest.skip("this process may not be without a limit")
    assert default == 8 * MEBIBYTE


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
@pytest.mark.skipif(not ADDRESSES_ARE_SCARCE, reason="addresses have 64 bits")
@pytest.mark.parametrize("soft", [None, 1 << 20, 8 << 20, 64 << 20])
def test_the_default_is_small_where_addresses_are_scarce(soft):
    assert default_with("RLIMIT_STACK", soft) == (
        160 << 10 if sys.version_info[:2] in ((3, 12), (3, 13)) else 128 << 10
    )


@NEEDS_64_BIT_ADDRESSES
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="needs much address space itself")
@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
@pytest.mark.parametrize(
    ("room", "default"),
    [
        (50 * GIBIBYTE, 8 * MEBIBYTE),
        (30 * GIBIBYTE, 4 * MEBIBYTE),
        (8 * GIBIBYTE, MEBIBYTE),
        pytest.param(
            GIBIBYTE,
            MEBIBYTE // 4,
            marks=pytest.mark.skipif(
                IS_FREE_THREADED, reason="the interpreter's own allocator takes a gibibyte of addresses at once"
            ),
        ),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
def test_the_default_is_smaller_where_there_is_no_room_for_thousands(limit, room, default):
    assert default_with(limit, room) == default


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="needs much address space itself")
def test_thousands_fit_where_the_default_is_smaller():
    assert (
        output_of(
            """
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
        from greenlet import getcurrent, greenlet
        waiting = [greenlet(getcurrent().switch) for _ in range(3000)]
        for g in waiting:
            g.switch()
        for g in waiting:
            g.switch("done")
        print(all(g.dead for g in waiting))
        """,
            GREENLET_STACK_SIZE="",
        )
        == "True\n"
    )


def test_without_an_argument_or_with_0_it_only_reports(stack_size):
    before = stack_size()
    assert stack_size(0) == before
    assert stack_size() == before


def test_it_returns_the_size_until_now(stack_size):
    before = stack_size()
    assert stack_size(1 << 21) == before
    assert stack_size(1 << 19) == 1 << 21
    assert stack_size() == 1 << 19


def test_it_is_for_all_threads(stack_size):
    in_thread(lambda: stack_size(1 << 19))
    assert stack_size() == 1 << 19


@NEEDS_64_BIT_ADDRESSES
@pytest.mark.skipif(IS_WINDOWS, reason="there a default stack is smaller: as the executable asks for its threads")
def test_it_does_not_depend_on_the_stack_of_the_thread():
    # musl gives a thread 128 KiB. CPython 3.12 has a limit of 500 calls on any stack.
    output = output_of("""
        import sys, threading
        from greenlet import greenlet

        def deep(depth):
            return max(map(deep, [depth - 1])) + 1 if depth else 0

        sys.setrecursionlimit(10_000)
        threading.stack_size(128 << 10)
        depth = 400 if sys.version_info[:2] == (3, 12) else 2000
        thread = threading.Thread(target=lambda: print(greenlet(deep).switch(depth) == depth))
        thread.start()
        thread.join()
        """)
    assert output == "True\n"


@pytest.mark.parametrize("size", [1, 4096, MINIMUM - 1, -1, -MINIMUM, 1 << 50, 1 << 63, 1 << 64, -(1 << 64)])
def test_bad_sizes_are_a_value_error(size, stack_size):
    before = stack_size()
    with pytest.raises(ValueError):
        stack_size(size)
    assert stack_size() == before


@pytest.mark.parametrize("size", ["65536", 65536.0, None, b"65536", [65536]])
def test_other_types_are_a_type_error(size, stack_size):
    before = stack_size()
    with pytest.raises(TypeError):
        stack_size(size)
    assert stack_size() == before


def test_wrong_numbers_of_arguments_are_a_type_error(stack_size):
    with pytest.raises(TypeError):
        stack_size(MINIMUM, MINIMUM)
    with pytest.raises(TypeError):
        stack_size(size=MINIMUM)


def test_anything_that_is_an_index_will_do(stack_size):
    class Size:
        def __index__(self):
            return 1 << 19

    stack_size(Size())
    assert stack_size() == 1 << 19


def test_an_exception_of_index_is_passed_on(stack_size):
    class Size:
        def __index__(self):
            raise LookupError

    with pytest.raises(LookupError):
        stack_size(Size())


@pytest.mark.parametrize("size", [MINIMUM, MINIMUM + 1, 100_000, 1 << 18, 1 << 22, 1 << 26])
def test_greenlets_run_on_stacks_of_any_size(size, stack_size):
    stack_size(size)
    assert greenlet(sorted).switch([3, 1, 2]) == [1, 2, 3]
    assert greenlet(lambda: "%s" % [1.5, {"a": (1,)}]).switch() == "[1.5, {'a': (1,)}]"


def test_greenlets_of_different_sizes_live_side_by_side(stack_size):
    greenlets = []
    for size in (MINIMUM, 1 << 18, 1 << 20, 1 << 22) * 5:
        stack_size(size)
        greenlets.append(suspended())
    for g in greenlets[::2] + greenlets[1::2]:
        g.switch()
    assert all(g.dead for g in greenlets)


def test_suspended_greenlets_keep_their_stacks(stack_size):
    def nested(depth):
        if depth:
            return max(map(nested, [depth - 1])) + 1
        return getcurrent().parent.switch()

    g = suspended(nested, 50)
    stack_size(MINIMUM)
    assert g.switch(0) == 50


def test_objects_are_freed_at_once_on_the_smallest_stack():
    # CPython delays deallocating containers when little stack is left, which must not happen here.
    assert (
        output_of(
            """
        import greenlet, weakref

        greenlet.stack_size(65_536)

        class List(list):
            pass

        def freed(depth):
            if depth:
                return max(map(freed, [depth - 1]))
            held = List([[1]])
            alive = weakref.ref(held)
            del held
            return alive() is None

        print([greenlet.greenlet(freed).switch(depth) for depth in range(5)])
        """,
            timeout=20,
        )
        == f"{[True] * 5}\n"
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="CPython 3.11 does not check the C stack")
def test_what_is_put_off_near_the_end_of_a_stack_is_done_before_the_greenlet_ends():
    assert (
        output_of(
            """
        import greenlet, weakref

        greenlet.stack_size(65_536)
        alive = []

        class List(list):
            pass

        def recurse():
            held = List([[1]])
            alive.append(weakref.ref(held))
            del held
            max(map(lambda _: recurse(), [0]))

        def run():
            try:
                recurse()
            except RecursionError:
                pass

        greenlet.greenlet(run).switch()
        print(any(reference() is not None for reference in alive))
        """,
            timeout=20,
        )
        == "False\n"
    )


def test_the_environment_variable_sets_the_default():
    assert output_of(REPORT, GREENLET_STACK_SIZE="262144").split() == ["262144", "3"]
    assert output_of(REPORT, GREENLET_STACK_SIZE=str(MINIMUM)).split() == [str(MINIMUM), "3"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8388608", 8 * MEBIBYTE),
        ("0x800000", 8 * MEBIBYTE),
        ("0X80000", MEBIBYTE // 2),
        ("8M", 8 * MEBIBYTE),
        ("3m", 3 * MEBIBYTE),
        ("256k", MEBIBYTE // 4),
        ("256K", MEBIBYTE // 4),
        pytest.param("1G", GIBIBYTE, marks=NEEDS_64_BIT_ADDRESSES),
        ("0x100k", MEBIBYTE // 4),
        ("0100000", 100_000),
    ],
)
def test_the_environment_variable_takes_other_bases_and_units(text, size):
    assert output_of(REPORT, GREENLET_STACK_SIZE=text).split() == [str(size), "3"]


def test_an_empty_environment_variable_is_none():
    assert output_of(REPORT, GREENLET_STACK_SIZE="") == output_of(
        f"import os; os.environ.pop('GREENLET_STACK_SIZE', None); {REPORT}"
    )


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "1",
        "-1",
        "+8388608",
        "65535",
        "63k",
        "many",
        " ",
        " 8388608",
        "8388608 ",
        "1e6",
        "8MB",
        "8 M",
        "M",
        "0x",
        "0xg",
        "1.5M",
        "65G",
        "9" * 30,
        "99999999999999999999M",
    ],
)
def test_an_environment_variable_that_says_no_size_is_warned_of(value):
    default = output_of(REPORT, GREENLET_STACK_SIZE="")
    done = run_python(REPORT, GREENLET_STACK_SIZE=value)
    assert (done.returncode, done.stdout) == (0, default)
    assert re.search(rf"RuntimeWarning: GREENLET_STACK_SIZE='{re.escape(value)}' is ignored: ", done.stderr)
    assert f"stacks have {default.split()[0]} bytes" in done.stderr


def test_the_warning_can_be_made_an_error_and_is_given_once():
    assert output_of(
        """
        import warnings
        warnings.simplefilter("error")
        try:
            import greenlet
        except RuntimeWarning as warning:
            print("many" in str(warning))
        import greenlet
        print(greenlet.greenlet(len).switch("abc"))
        """,
        GREENLET_STACK_SIZE="many",
    ).split() == ["True", "3"]


def test_is_a_function_of_the_package():
    assert "stack_size" in package.__all__


@pytest.mark.skipif(sys.platform != "linux", reason="counts resident memory as Linux reports it")
@NEEDS_64_BIT_ADDRESSES
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="takes memory itself, an eighth of the stack")
def test_only_what_is_used_of_a_large_stack_takes_memory():
    resident = output_of(
        """
        import greenlet

        def resident():
            with open("/proc/self/statm") as statm:
                return int(statm.read().split()[1]) * 4096

        greenlet.stack_size(1 << 26)
        main = greenlet.getcurrent()
        greenlets = [greenlet.greenlet(main.switch) for _ in range(500)]
        before = resident()
        for g in greenlets:
            g.switch()
        print((resident() - before) // len(greenlets))
        for g in greenlets:
            g.switch()
        """
    )
    assert int(resident) < 20_000


def can_name_mappings():
    if sys.platform != "linux":
        return False
    memory = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    pr_set_vma = 0x53564D41
    number = ctypes.c_ulong
    return ctypes.CDLL(None).prctl(pr_set_vma, number(0), number(address), number(len(memory)), b"anything") == 0


@pytest.mark.skipif(not can_name_mappings(), reason="this system gives mappings no names (Linux: CONFIG_ANON_VMA_NAME)")
def test_stacks_have_a_name_in_the_list_of_mappings():
    assert (
        output_of("""
        import greenlet

        g = greenlet.greenlet(greenlet.getcurrent().switch)
        g.switch()
        with open("/proc/self/smaps") as mappings:
            print("[anon:greenlet stacks]" in mappings.read())
    """)
        == "True\n"
    )
