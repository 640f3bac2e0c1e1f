"""Recursion in C and in Python, in a greenlet or in a thread with a stack of the same size.

usage: recursion.py CASE greenlet|thread     recurses to the end of the stack, and prints the outcome
       recursion.py depths                   prints the depths in the main thread and in a greenlet, as rows of Markdown
"""

import ast
import copy
import functools
import json
import os
import pickle
import re
import sys
import threading
from pathlib import Path

from greenlet import getcurrent, greenlet, stack_size

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.registry import Registry

DEEP = 50_000
case = CASES = Registry()


def nested(make, depth=DEEP):
    value = ()
    for _ in range(depth):
        value = make(value)
    return value


def in_list(value):
    return [value]


# --- nested data ----------------------------------------------------------------------------------------------------


@case
def pickle_dumps():
    pickle.dumps(nested(in_list))


@case
def pickle_loads():
    pickle.loads(b"]" * DEEP + b"a" * (DEEP - 1) + b".")


@case
def repr_list():
    repr(nested(in_list))


@case
def repr_dict():
    repr(nested(lambda value: {1: value}))


@case
def json_dumps():
    json.dumps(nested(in_list), check_circular=False)


@case
def json_loads():
    json.loads("[" * DEEP + "]" * DEEP)


@case
def comparison():
    nested(in_list) == nested(in_list)


@case
def hash_of_tuple():
    hash(nested(lambda value: (value,)))


@case
def deepcopy():
    copy.deepcopy(nested(in_list))


# --- nested sources -------------------------------------------------------------------------------------------------


@case
def ast_parse():
    ast.parse("(" * DEEP + ")" * DEEP)


@case
def compile_unary():
    compile("-" * DEEP + "1", "deep", "eval")


@case
def compile_attributes():
    compile("a" + ".b" * DEEP, "deep", "eval")


@case
def compile_sum():
    compile("+".join("a" * DEEP), "deep", "eval")


@case
def ast_dump():
    ast.dump(ast.parse("a" + "+a" * 4_000))


@case
def re_compile():
    re.compile("(" * 20_000 + ")" * 20_000)


# --- C functions that call back -------------------------------------------------------------------------------------


class Reduced:
    def __reduce__(self):
        return Reduced, (Reduced(),)


class Represented:
    def __repr__(self):
        return repr([self])


class Ordered:
    def __lt__(self, other):
        return bool(sorted([self, self]))


class Hooked:
    def __getattr__(self, name):
        return getattr(self, name)

    def __setattr__(self, name, value):
        setattr(self, name, value)

    @property
    def value(self):
        return self.value


class Intercepted:
    def __getattribute__(self, name):
        return getattr(self, name)


@case
def pickle_reduce():
    pickle.dumps(Reduced())


@case
def repr_method():
    repr(Represented())


@case
def sort_key(value=1):
    return sorted([value, value], key=sort_key)


@case
def sort_comparison():
    sorted([Ordered(), Ordered()])


@case
def getattr_hook():
    Hooked().missing


@case
def getattribute_hook():
    Intercepted().name


@case
def setattr_hook():
    Hooked().name = 1


@case
def property_hook():
    Hooked().value


@case
def re_sub(match=None):
    return re.sub("a", re_sub, "a")


@case
def json_hook(decoded=None):
    return json.loads("{}", object_hook=json_hook)


@case
def json_default(value=None):
    return json.dumps(object(), default=json_default)


# --- chains and destructors -----------------------------------------------------------------------------------------


class Node:
    def __init__(self, inner):
        self.inner = inner

    def __del__(self):
        pass


@case
def delegating_generators():
    def delegate():
        yield from delegate()

    list(delegate())


@case
def chain_of_generators():
    list(nested(lambda inner: (each for each in inner)))


@case
def chain_of_maps():
    list(nested(lambda inner: map(abs, inner)))


@case
def destructor_of_lists():
    nested(in_list)


@case
def destructor_of_objects():
    nested(Node)


@case
def destructor_of_generators():
    def hold(inner):
        yield inner

    def begun(inner):
        generator = hold(inner)
        next(generator)
        return generator

    nested(begun)


# --- running the cases ----------------------------------------------------------------------------------------------


def down(depth):
    return down(depth - 1) + 1 if depth else 0


def attempt(function):
    """Call *function*. Returns the outcome, after a check that Python still works."""
    try:
        function()
    except (RecursionError, MemoryError, SyntaxError) as error:  # the parser's own limits are the last two
        ended = type(error).__name__
    else:
        ended = "success"
    assert down(100) == 100
    return ended


def in_greenlet(function):
    other = greenlet(lambda: [getcurrent().parent.switch(), down(100)])
    other.switch()
    ended = greenlet(attempt).switch(function)
    assert other.switch() == [(), 100]
    assert greenlet(down).switch(100) == 100
    return ended


def in_thread(function):
    ended = []
    threading.stack_size(stack_size())
    thread = threading.Thread(target=lambda: ended.append(attempt(function)))
    thread.start()
    thread.join()
    return ended[0]


# --- depths ---------------------------------------------------------------------------------------------------------


def sort_levels(depth):
    return depth and sorted([depth], key=lambda depth: sort_levels(depth - 1))


def map_levels(depth):
    return depth and max(map(map_levels, [depth - 1]))


@functools.lru_cache(maxsize=0)
def cached_levels(depth):
    return depth and cached_levels(depth - 1)


def works(function, argument, run):
    """Call *function* through *run* in a child process. Returns the exit status: 0 if it returns."""
    pid = os.fork()
    if pid == 0:
        try:
            run(function, argument)
        except RecursionError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def deepest(function, run):
    low, high, ended = 0, 200_000, works(function, 200_000, run)
    if ended == 0:
        return "200,000 and more"
    while high - low > max(1, low // 200):
        middle = (low + high) // 2
        outcome = works(function, middle, run)
        if outcome == 0:
            low = middle
        else:
            high, ended = middle, outcome
    return f"{low:,}" + ("" if ended == 1 else " (SIGSEGV)")


def depths(run):
    yield deepest(down, run)
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    yield deepest(down, run)
    if sys.version_info < (3, 12):
        sys.setrecursionlimit(before)  # the only limit for C calls there
    yield deepest(map_levels, run)
    yield deepest(cached_levels, run)
    yield deepest(lambda depth: repr(nested(in_list, depth)), run)
    yield deepest(lambda depth: json.dumps(nested(in_list, depth), check_circular=False), run)
    yield deepest(sort_levels, run)
    sys.setrecursionlimit(before)


def print_depths():
    version = ".".join(map(str, sys.version_info[:3]))
    for where, run in (
        ("the thread", lambda function, argument: function(argument)),
        ("a greenlet", lambda function, argument: greenlet(function).switch(argument)),
    ):
        print("|", " | ".join([version, where, *depths(run)]), "|")


if __name__ == "__main__":
    if sys.argv[1] == "depths":
        print_depths()
    else:
        print({"greenlet": in_greenlet, "thread": in_thread}[sys.argv[2]](CASES[sys.argv[1]]))
