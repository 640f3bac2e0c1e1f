"""Greenlets in other interpreters of the process."""

import sys

import pytest
from support.processes import output_of

from greenlet import getcurrent, greenlet

interpreters = None
for name in ("_interpreters", "_xxsubinterpreters"):
    try:
        interpreters = __import__(name)
        break
    except ImportError:
        pass

pytestmark = pytest.mark.skipif(
    interpreters is None or sys.version_info < (3, 12), reason="this CPython can't run other interpreters from Python"
)

# Defines run(), which runs `code` in a new interpreter of that kind, and raises an error if the code does.
PRELUDE = f"""
import sys
import {interpreters.__name__ if interpreters else "sys"} as interpreters

def run(code, kind="isolated"):
    if sys.version_info >= (3, 13):
        identity = interpreters.create(kind)
    else:
        identity = interpreters.create(isolated=kind == "isolated")
    try:
        failure = interpreters.run_string(identity, code)
        if failure is not None:
            raise RuntimeError(failure)
    finally:
        interpreters.destroy(identity)
"""

USE = """
from greenlet import getcurrent, greenlet
main = getcurrent()
g = greenlet(lambda value: main.switch(value) + 1)
assert g.switch('first') == 'first'
assert g.switch(41) == 42 and g.dead
"""


def run(source):
    return output_of(PRELUDE + f"USE = {USE!r}\n" + source)


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_the_package_can_be_imported_and_used(kind):
    assert run(f"run(USE, {kind!r}); print('fine')") == "fine\n"


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_it_can_be_used_in_many_one_after_the_other(kind):
    assert run(f"for _ in range(5): run(USE, {kind!r})\nprint('fine')") == "fine\n"


def test_it_can_be_used_here_before_and_after():
    assert run("exec(USE); run(USE); exec(USE); run(USE); exec(USE); print('fine')") == "fine\n"


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
@pytest.mark.parametrize(
    "left",
    [
        "left = greenlet(main.switch); left.switch()",
        "cell = [greenlet(lambda cell: main.switch())]; cell[0].switch(cell); del cell",
        "down = lambda n: down(n - 1) if n else main.switch(); left = greenlet(down); left.switch(100)",
        "left = [greenlet(lambda: max(map(main.switch, [1]))) for _ in range(100)]; [g.switch() for g in left]",
        "import greenlet as package; package.settrace(lambda *_: None); left = greenlet(main.switch); left.switch()",
    ],
    ids=["held", "in a cycle", "deep", "many in C", "traced"],
)
def test_an_interpreter_may_end_with_suspended_greenlets(kind, left):
    assert run(f"run({USE + left + chr(10)!r}, {kind!r}); exec(USE); print('fine')") == "fine\n"


def test_each_interpreter_has_its_own_classes_and_main_greenlet():
    source = (
        "from greenlet import getcurrent, greenlet; "
        "assert id(greenlet) != {} and id(getcurrent()) != {}, (id(greenlet), id(getcurrent()))"
    )
    assert (
        run(
            "from greenlet import getcurrent, greenlet\n"
            "main = getcurrent()\n"
            f"run({source!r}.format(id(greenlet), id(main)))\n"
            "assert getcurrent() is main\n"
            "print('fine')"
        )
        == "fine\n"
    )


def test_another_interpreter_can_run_inside_a_greenlet():
    assert (
        run(
            "from greenlet import getcurrent, greenlet\n"
            "g = greenlet(lambda: (run(USE), getcurrent().parent.switch(1), run(USE)))\n"
            "assert g.switch() == 1\n"
            "g.switch()\n"
            "print(g.dead)"
        )
        == "True\n"
    )


def test_interpreters_in_several_threads_switch_at_the_same_time():
    loop = USE + (
        "def parrot(value):\n"
        "    while True: value = main.switch(value)\n"
        "g = greenlet(parrot)\n"
        "for i in range(50_000): assert g.switch(i) == i\n"
        "for _ in range(2000): assert greenlet(len).switch('abc') == 3\n"
    )
    assert (
        run(
            "import threading\n"
            "failures = []\n"
            "def target():\n"
            "    try:\n"
            f"        run({loop!r})\n"
            "    except BaseException as failure:\n"
            "        failures.append(failure)\n"
            "threads = [threading.Thread(target=target) for _ in range(4)]\n"
            "for thread in threads: thread.start()\n"
            "for thread in threads: thread.join()\n"
            "print(failures)"
        )
        == "[]\n"
    )


def test_this_interpreter_is_as_it_was():
    assert greenlet(lambda: getcurrent().parent.parent).switch() is None
