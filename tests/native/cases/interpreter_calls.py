"""CPython's recursion in C through calls of Python code, and through objects that own each other."""

import sys

from case import CPYTHON, as_deep, case
from journal import deepest, step
from nested import MOST, nested_list, nested_tuple


@case(CPYTHON, same=as_deep, fast=True)
def lru_cache():
    """A function with functools.lru_cache that calls itself."""
    from functools import lru_cache

    @lru_cache(None)
    def count(n):
        return 1 + count(n - 1) if n else 0

    def run(depth):
        count.cache_clear()
        assert count(depth) == depth

    return deepest(run, MOST)


class Nested:
    """Each special method does the same to the inner object, through C."""

    __slots__ = ("inner",)

    def __init__(self, depth):
        self.inner = Nested(depth - 1) if depth > 1 else None

    def __repr__(self):
        return f"({self.inner!r})"

    def __str__(self):
        return "".join(["(", str(self.inner), ")"])

    def __eq__(self, other):
        return self.inner == other.inner

    def __lt__(self, other):
        return self.inner is not None and self.inner < other.inner

    def __hash__(self):
        return hash((1, self.inner))

    def __call__(self):
        return 1 + (self.inner() if self.inner else 0)

    def __len__(self):
        return 1 + (len(self.inner) if self.inner else 0)

    def __bool__(self):
        return True

    def __iter__(self):
        yield 1
        if self.inner:
            yield from self.inner

    def __getattr__(self, name):
        if self.inner is None:
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __getitem__(self, index):
        return self.inner[index] if self.inner else index

    def __add__(self, other):
        return self.inner + other if self.inner else other

    def __contains__(self, item):
        return item in self.inner if self.inner else True

    def __format__(self, how):
        return f"({format(self.inner, how)})" if self.inner else how


def nest(depth):
    outer = None
    for _ in range(depth):
        inner, outer = outer, Nested(1)
        outer.inner = inner
    return outer


def through(use):
    """Return how deep *use*, which calls a special method, can recurse."""

    def run(depth):
        use(nest(depth))

    return deepest(run, MOST)


@case(CPYTHON, same=as_deep, fast=True)
def special_repr():
    """repr() and str() of objects in objects."""
    return [through(repr), through(str)]


@case(CPYTHON, same=as_deep, fast=True)
def special_eq():
    """== and < of objects in objects."""
    return [
        deepest(lambda depth: nest(depth) == nest(depth), MOST),
        deepest(lambda depth: nest(depth) < nest(depth), MOST),
    ]


@case(CPYTHON, same=as_deep, fast=True)
def special_call():
    """__call__ of objects in objects."""
    return through(lambda outer: outer())


@case(CPYTHON, same=as_deep)
def special_methods():
    """__hash__, __len__, __iter__, __getattr__, __getitem__, __add__, __contains__ and __format__ of objects in objects."""
    depths = []
    for use in (
        hash,
        len,
        list,
        lambda x: getattr(x, "none", 0),
        lambda x: x[1],
        lambda x: x + 1,
        lambda x: 1 in x,
        lambda x: format(x, "a"),
    ):
        depths.append(through(use))
    return depths


@case(CPYTHON, same=as_deep, fast=True)
def sort_keys():
    """sorted([n], key=f), where f sorts again."""

    def key(n):
        return sorted([n - 1], key=key) if n else n

    return deepest(lambda depth: key(depth), MOST)


@case(CPYTHON, same=as_deep)
def higher_functions():
    """map, filter, reduce, max, partial, sum, re.sub and str.translate, each calling the next level."""
    import re
    from functools import partial, reduce

    depths = []
    for call in (
        lambda f, n: list(map(f, [n])),
        lambda f, n: list(filter(f, [n])),
        lambda f, n: reduce(lambda a, b: f(b), [0, n]),
        lambda f, n: max([n], key=f),
        lambda f, n: partial(f, n)(),
        lambda f, n: sum(f(n) and 0 or 0 for _ in "a"),
        lambda f, n: re.sub("a", lambda match: str(f(n)), "a"),
        lambda f, n: eval("f(n)", {"f": f, "n": n}),
    ):

        def recurse(n, call=call):
            if n:
                call(lambda m: recurse(m - 1), n)
            return 0

        depths.append(deepest(recurse, MOST))
    return depths


@case(CPYTHON, same=as_deep)
def builtin_containers():
    """repr(), ==, hash() of containers in containers, isinstance() with tuples in tuples."""
    return [
        deepest(lambda depth: repr(nested_list(depth)), MOST),
        deepest(lambda depth: nested_list(depth) == nested_list(depth), MOST),
        deepest(lambda depth: isinstance(1, nested_tuple(depth)), MOST),
    ]


@case(CPYTHON, same=as_deep)
def hash_of_tuples():
    """hash() of tuples in tuples, up to 10,000: the interpreter has no limit."""
    return deepest(lambda depth: hash(nested_tuple(depth)), 10_000)


@case(CPYTHON, same=as_deep)
def iterator_chains():
    """Iterators of itertools on iterators, up to 10,000: the interpreter has no limit."""
    import itertools

    def use(depth):
        iterator = iter([1])
        for _ in range(depth):
            iterator = itertools.chain(iterator, [1])
        assert sum(iterator) == 1 + depth

    return deepest(use, 10_000)


@case(CPYTHON, same=as_deep)
def generators():
    """Generators that yield from generators."""

    def count(n):
        yield n
        if n:
            yield from count(n - 1)

    return deepest(lambda depth: list(count(depth)), MOST)


@case(CPYTHON)
def destructors():
    """Chains of 200,000 objects are deallocated: lists, tuples, dictionaries, instances, generators, exceptions."""

    class Link:
        pass

    def instance(inner):
        link = Link()
        link.inner = inner
        return link

    def generator(inner):
        made = (x for x in [inner])
        return made

    def exception(inner):
        return ValueError(inner)

    for wrap in (lambda x: [x], lambda x: (x,), lambda x: {1: x}, instance, generator, exception):
        value = None
        for _ in range(200_000):
            value = wrap(value)
        step(type(value).__name__)
        del value
    return "all"


@case(CPYTHON)
def finalizers():
    """20,000 objects in a chain, each with a __del__, are all finalized."""
    count = 0

    class Link:
        def __init__(self, inner):
            self.inner = inner

        def __del__(self):
            nonlocal count
            count += 1

    link = None
    for _ in range(20_000):
        link = Link(link)
    del link
    return count


@case(CPYTHON, same=as_deep)
def imports():
    """Modules that import modules, up to 100 deep."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        for i in range(101):
            Path(folder, f"deep_{i}.py").write_text(f"import deep_{i - 1}\n" if i else "")
        sys.path.insert(0, folder)
        try:

            def load(depth):
                for name in [name for name in sys.modules if name.startswith("deep_")]:
                    del sys.modules[name]
                __import__(f"deep_{depth}")

            return deepest(load, 100)
        finally:
            sys.path.remove(folder)


@case(CPYTHON, same=as_deep)
def callbacks_from_c():
    """qsort() of the C library calls Python, which calls qsort() again, through ctypes."""
    import ctypes

    libc = ctypes.CDLL(None)
    compare_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    sys.unraisablehook = lambda _: None  # at the limit, exceptions in callbacks are expected

    def run(depth):
        reached = 0

        def sort(level):
            def compare(a, b):
                nonlocal reached
                reached = max(reached, level)
                if level < depth:
                    sort(level + 1)
                return 0

            libc.qsort((ctypes.c_int * 2)(2, 1), 2, ctypes.sizeof(ctypes.c_int), compare_type(compare))

        sort(1)
        if reached < depth:
            raise RecursionError

    return deepest(run, MOST)


@case(CPYTHON, same=as_deep)
def higher_recursion_limit():
    """With sys.setrecursionlimit(5000): repr(), ==, calls, sort keys, JSON and deepcopy() nested 1,000 deep."""
    from copy import deepcopy
    from json import dumps, loads

    def key(n):
        return sorted([n - 1], key=key) if n else n

    def use(depth):
        repr(nest(depth)), nest(depth) == nest(depth), nest(depth)(), key(depth)
        loads(dumps(nested_list(depth))), deepcopy(nested_list(depth))

    sys.setrecursionlimit(5000)
    return deepest(use, 1000)


@case(CPYTHON)
def recursion_error():
    """Endless recursion, in Python and through C, is a RecursionError each time."""
    from functools import reduce

    def plain():
        plain()

    class Endless:
        def __repr__(self):
            return repr(self)

        def __getattr__(self, name):
            return getattr(self, name + "a")

    def through_sort(x):
        sorted([x], key=through_sort)

    results = []
    for function in (
        plain,
        lambda: repr(Endless()),
        lambda: Endless().a,
        lambda: through_sort(1),
        lambda: reduce(lambda a, b: repr(Endless()), [1, 2]),
    ):
        for _ in range(3):
            try:
                function()
            except RecursionError as error:
                results.append(type(error).__name__)
    return results
