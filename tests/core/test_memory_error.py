"""No memory for the stack of a greenlet raises MemoryError, and all other greenlets continue."""

import sys

import pytest
from support.environment import HAS_ADDRESS_SANITIZER
from support.processes import output_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits address space as Linux does")

# AddressSanitizer ends the process if it gets no memory for its own records, so some memory, less than a stack, is
# spared.
SPARE = 48 << 20 if HAS_ADDRESS_SANITIZER else 0
NEEDS_NO_SPARE = pytest.mark.skipif(
    HAS_ADDRESS_SANITIZER, reason="AddressSanitizer gets no memory for its own records then"
)

# The beginning of the programs below: there is address space for some greenlets, but not for many.
LIMITED = (
    f"SPARE = {SPARE}"
    + """
import gc, resource, sys
from greenlet import getcurrent, greenlet, stack_size

stack_size(1 << 26)
main = getcurrent()

def limit(room):
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (used + room + SPARE, resource.RLIM_INFINITY))

def lift():
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

def fill():
    # Greenlets that wait, as many as there is memory for.
    greenlets = []
    try:
        while len(greenlets) < 100_000:
            g = greenlet(main.switch)
            g.switch()
            greenlets.append(g)
    except MemoryError as exception:
        message = str(exception)
    else:
        message = None
    return g, greenlets, message

# Warm up what allocates on first use.
greenlet(lambda: None).switch()

limit(1 << 30)
g, greenlets, message = fill()
"""
)


def output_when_full(source):
    """Return the output of *source*, which runs when memory is full of `greenlets`, and `g` could not be started."""
    return output_of(LIMITED + source)


def test_it_is_raised_in_the_caller_and_the_target_stays_unstarted():
    assert output_when_full("""
print(message is not None, "stack" in message, getcurrent() is main, g.dead, bool(g))
lift()
print(g.switch("works again"))
""").splitlines() == ["True True True False False", "works again"]


def test_it_says_how_many_are_active_which_limit_was_hit_and_what_to_set():
    assert (
        output_when_full("""
import re
found = re.fullmatch(
    r"no memory for the stack of a greenlet, of 67108864 bytes: (\\d+) are active in this process; the limit of the process's "
    r"address space is reached \\(RLIMIT_AS, ulimit -v\\): raise it, or set a smaller greenlet.stack_size\\(\\)", message)
print(int(found[1]) == len(greenlets))
""")
        == "True\n"
    )


def test_all_others_go_on():
    assert (
        output_when_full("""
for number, waiting in enumerate(greenlets):
    assert waiting.switch(number) == number and waiting.dead
print("all")
""")
        == "all\n"
    )


def test_stacks_of_finished_greenlets_can_be_used_again():
    assert (
        output_when_full("""
greenlets.pop().switch()
print(g.switch("on the stack of another"))
""")
        == "on the stack of another\n"
    )


def test_it_happens_in_a_greenlet_too():
    assert (
        output_when_full("""
waiting = greenlets.pop()
waiting.switch()

def run():
    try:
        greenlet(lambda: "not enough memory for this").switch()
    except MemoryError:
        return "caught"

print(greenlet(run).switch())
""")
        == "caught\n"
    )


def test_references_are_balanced_when_it_fails():
    assert (
        output_when_full("""
argument = object()

def attempt():
    for _ in range(100):
        try:
            g.switch(argument, 1, 2, 3, 4, 5, 6, 7, name=argument)
        except MemoryError:
            pass

attempt()
before = sys.getrefcount(argument), sys.getrefcount(g)
attempt()
print((sys.getrefcount(argument), sys.getrefcount(g)) == before)
""")
        == "True\n"
    )


def test_an_unstarted_parent_that_gets_no_stack_passes_it_on():
    assert output_when_full("""
waiting = greenlets.pop()
waiting.parent = g           # g can't be started: no memory
try:
    waiting.switch("result")
    print("started on the stack of its child")
except MemoryError:
    print("MemoryError")
print(getcurrent() is main)
""").splitlines() in (["MemoryError", "True"], ["started on the stack of its child", "True"])


def test_throw_that_needs_a_stack():
    assert (
        output_when_full("""
try:
    g.throw(LookupError)
except (LookupError, MemoryError) as exception:
    print(type(exception).__name__)
print(getcurrent() is main)
""").splitlines()[1]
        == "True"
    )


@pytest.mark.parametrize(
    ("limit", "named"),
    [
        ("RLIMIT_AS", "(RLIMIT_AS, ulimit -v)"),
        pytest.param("RLIMIT_DATA", "(RLIMIT_DATA, ulimit -d)", marks=NEEDS_NO_SPARE),
    ],
)
def test_it_names_the_limit(limit, named):
    assert (
        output_of(
            LIMITED.split("limit(1 << 30)")[0]
            + f"""
with open("/proc/self/status") as status:
    data = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize"))
resource.setrlimit(resource.{limit}, (data + (1 << 30), resource.RLIM_INFINITY))
print({named!r} in fill()[2])
"""
        )
        == "True\n"
    )


def test_it_names_the_number_of_mappings():
    assert (
        output_of("""
import mmap
from greenlet import getcurrent, greenlet

main = getcurrent()
greenlets, mappings, message = [], [], None
try:
    while len(mappings) < 1_000_000:
        mappings.append(mmap.mmap(-1, 4096))
except (OSError, MemoryError):
    pass
try:
    while len(greenlets) < 10_000:
        greenlets.append(greenlet(main.switch))
        greenlets[-1].switch()
except MemoryError as error:
    message = str(error)
del mappings[:100]
print("(vm.max_map_count): raise that" in message)
""")
        == "True\n"
    )


@NEEDS_NO_SPARE
def test_mappings_run_out_before_memory_does():
    # The kernel limits the number of mappings of a process; a guard may cost two.
    assert (
        output_of(
            """
from greenlet import getcurrent, greenlet
main = getcurrent()
greenlets = []
try:
    for _ in range(40_000):
        g = greenlet(main.switch)
        g.switch()
        greenlets.append(g)
except MemoryError:
    pass
for g in greenlets:
    g.switch()
print(len(greenlets) > 20_000, all(g.dead for g in greenlets))
"""
        )
        == "True True\n"
    )
