"""The C API's table: the process has one, which works in each interpreter and in destructors at the end of one."""

import sys

import pytest
from support.environment import HAS_ADDRESS_SANITIZER, IS_FREE_THREADED
from support.extensions import compile_extension
from support.processes import output_of, run_python

# Freed memory is overwritten, so that its use always fails.
POISON = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.perturb=165", "PYTHONMALLOC": "malloc"}
if IS_FREE_THREADED:
    del POISON["PYTHONMALLOC"]  # free-threaded builds support only their own allocator

HAS_INTERPRETERS = sys.version_info >= (3, 12)

PRELUDE = """
import sys
sys.path.insert(0, {folder!r})
import interpreters as client
from greenlet import getcurrent, greenlet

main = getcurrent()

def suspended():
    g = greenlet(main.switch)
    g.switch()
    return g
"""

OTHERS = """
try:
    import _interpreters
except ImportError:
    import _xxsubinterpreters as _interpreters

def create(kind):
    return _interpreters.create(kind) if sys.version_info >= (3, 13) else _interpreters.create(isolated=kind == "isolated")

def run_in(interpreter, code):
    failure = _interpreters.run_string(interpreter, PRELUDE + code)
    if failure is not None:
        raise RuntimeError(failure)
"""

USED = (0, 1, 1, 1, [42], "GreenletExit")
USE = f"assert client.use(lambda *arguments: list(arguments)) == {USED!r}\n"


@pytest.fixture(scope="module")
def prelude(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interpreters")
    compile_extension("interpreters.c", folder)
    return PRELUDE.format(folder=str(folder))


def test_it_can_be_used_in_the_main_interpreter(prelude):
    assert output_of(prelude + USE + "print(client.check(main), client.check(len))") == "True False\n"


@pytest.mark.skipif(not HAS_INTERPRETERS, reason="this CPython can't run other interpreters from Python")
@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_other_interpreters_that_come_and_go_leave_the_main_one_as_it_was(prelude, kind):
    assert (
        output_of(
            prelude
            + f"PRELUDE = {prelude!r}\n"
            + OTHERS
            + f"""
g = greenlet(lambda *arguments: list(arguments))
for _ in range(3):
    assert client.check(g) and client.check(main)
    {USE}
    interpreter = create({kind!r})
    run_in(interpreter, {USE!r})
    assert client.check(g) and client.check(main)
    {USE}
    _interpreters.destroy(interpreter)
    assert client.check(g) and client.check(main)
    {USE}
print("fine")
""",
            **POISON,
        )
        == "fine\n"
    )


@pytest.mark.skipif(not HAS_INTERPRETERS, reason="this CPython can't run other interpreters from Python")
@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_its_functions_are_those_of_the_interpreter_that_calls_them(prelude, kind):
    assert (
        output_of(
            prelude
            + f"PRELUDE = {prelude!r}\n"
            + OTHERS
            + f"""
interpreter = create({kind!r})
run_in(interpreter, '''
{USE}
import greenlet as package
assert isinstance(main, package.greenlet)
assert not client.check(main)  # the class in the table is the main interpreter's
''')
_interpreters.destroy(interpreter)
print("fine")
"""
        )
        == "fine\n"
    )


@pytest.mark.skipif(not HAS_INTERPRETERS, reason="this CPython can't run other interpreters from Python")
@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_another_interpreter_may_be_the_first_to_use_it(prelude, kind):
    beginning = prelude.split("import interpreters")[0]
    assert (
        output_of(
            beginning
            + f"PRELUDE = {prelude!r}\n"
            + OTHERS
            + f"""
for _ in range(2):
    interpreter = create({kind!r})
    run_in(interpreter, {USE + "assert client.check(main)"!r})
    _interpreters.destroy(interpreter)
"""
            + prelude
            + USE
            + "print(client.check(main))",
            **POISON,
        )
        == "True\n"
    )


# The result of each entry in a destructor during finalization. The reference has the same.
AT_THE_END = """\
check 1
exceptions 1
get_current RuntimeError
new done
main 0
started 1
active 1
get_parent done
set_parent done
switch to a new one done
switch to a suspended one done
throw LookupError
"""


@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="it has its own malloc()")
@pytest.mark.parametrize(
    "keep",
    [
        "import builtins; builtins.kept = {witness}",  # released with the builtins
        "sys.kept = {witness}",
        "kept = {witness}; kept_too = [kept]; kept_too.append(kept_too); del kept",  # released in the last collection
    ],
    ids=["builtins", "sys", "cycle"],
)
def test_each_entry_works_or_raises_in_destructors_at_the_end(prelude, keep):
    # The collector can't see the references of a Witness, so these must not lead to the globals of the program.
    done = run_python(prelude + keep.format(witness="client.Witness(suspended(), greenlet(dict))"), **POISON)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout == AT_THE_END
