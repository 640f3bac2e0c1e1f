"""CPython's recursion in C over data and source code, each case up to the interpreter's own limit."""

from case import CPYTHON, as_deep, case
from journal import deepest
from nested import MOST, level_of, nested_list, nested_tuple


@case(CPYTHON, same=as_deep, fast=True)
def pickle():
    """Lists in lists are pickled and unpickled."""
    from pickle import dumps, loads

    return deepest(lambda depth: loads(dumps(nested_list(depth))), MOST)


@case(CPYTHON, same=as_deep)
def pickle_of_objects():
    """Objects in objects are pickled, with __reduce__, __getstate__ and __setstate__ in Python."""
    from pickle import dumps, loads

    def chain(depth):
        node = None
        for _ in range(depth):
            node = Node(node)
        assert loads(dumps(node)).next is node.next or depth > 1

    return deepest(chain, MOST)


class Node:
    def __init__(self, following):
        self.next = following

    def __getstate__(self):
        return {"next": self.next}

    def __setstate__(self, state):
        self.next = state["next"]


@case(CPYTHON, same=as_deep, fast=True)
def deepcopy():
    """copy.deepcopy() of lists in lists."""
    from copy import deepcopy

    return deepest(lambda depth: deepcopy(nested_list(depth)), MOST)


@case(CPYTHON, same=as_deep, fast=True)
def json_loads():
    """JSON of arrays in arrays and of objects in objects is parsed."""
    from json import loads

    def parse(depth):
        assert level_of(loads("[" * depth + "]" * depth)) == depth - 1
        loads('{"a":' * depth + "1" + "}" * depth)

    return deepest(parse, 100_000)


@case(CPYTHON, same=as_deep)
def json_dumps():
    """Lists in lists become JSON."""
    from json import dumps

    return deepest(lambda depth: dumps(nested_list(depth)), 100_000)


@case(CPYTHON, same=as_deep)
def marshal():
    """Tuples in tuples are marshalled there and back."""
    from marshal import dumps, loads

    return deepest(lambda depth: loads(dumps(nested_tuple(depth))), MOST, ValueError)


def compiles(source_of):
    """Return the longest source that the compiler accepts; *source_of* creates one of a given length."""
    return deepest(lambda depth: compile(source_of(depth), "<case>", "eval"), MOST, MemoryError, SyntaxError)


@case(CPYTHON, same=as_deep, fast=True)
def compile_operators():
    """compile() of a + a + a + ..."""
    return compiles(lambda depth: "a" + " + a" * depth)


@case(CPYTHON, same=as_deep)
def compile_attributes():
    """compile() of a.b.b.b..."""
    return compiles(lambda depth: "a" + ".b" * depth)


@case(CPYTHON, same=as_deep)
def compile_calls():
    """compile() of a()()()..."""
    return compiles(lambda depth: "a" + "()" * depth)


@case(CPYTHON, same=as_deep)
def compile_unary_operators():
    """compile() of - - - ... a."""
    return compiles(lambda depth: "- " * depth + "a")


@case(CPYTHON, same=as_deep)
def compile_conditions():
    """compile() of a if b else a if b else a."""
    return compiles(lambda depth: "a if b else " * depth + "a")


@case(CPYTHON, same=as_deep)
def compile_lambdas():
    """compile() of lambda: lambda: ..., each with a symbol table of its own."""
    return compiles(lambda depth: "lambda: " * depth + "a")


@case(CPYTHON, same=as_deep)
def compile_elif():
    """compile() of if, elif, elif, ..."""
    return deepest(
        lambda depth: compile("if a: b\n" + "elif a: b\n" * depth, "<case>", "exec"), MOST, MemoryError, SyntaxError
    )


@case(CPYTHON, same=as_deep)
def parentheses():
    """compile() and ast.literal_eval() of brackets in brackets."""
    import ast

    def use(depth):
        compile("(" * depth + "1" + ")" * depth, "<case>", "eval")
        assert level_of(ast.literal_eval("[" * depth + "]" * depth)) == depth - 1

    return deepest(use, MOST, MemoryError, SyntaxError)


@case(CPYTHON, same=as_deep, fast=True)
def syntax_trees():
    """ast.parse(), ast.literal_eval(), walk, dump and compile() of 1 + 1 + ..."""
    import ast

    def use(depth):
        source = "1" + " + 1j" * depth
        tree = ast.parse(source, mode="eval")
        assert eval(compile(tree, "<case>", "eval")) == 1 + depth * 1j
        ast.copy_location(tree, tree)
        assert len(list(ast.walk(tree))) > depth

    return deepest(use, MOST, MemoryError, SyntaxError)


@case(CPYTHON, same=as_deep)
def literal_eval():
    """ast.literal_eval() of - - - ... 1, and ast.unparse() of a sum."""
    import ast

    def use(depth):
        assert ast.literal_eval("{'a': " * min(depth, 90) + "1" + "}" * min(depth, 90))
        assert ast.unparse(ast.parse("a" + "+a" * depth))

    return deepest(use, MOST, MemoryError, SyntaxError, ValueError)


@case(CPYTHON, same=as_deep, fast=True)
def regular_expressions():
    """re: groups in groups are compiled, and matched with repeats that backtrack."""
    import re

    def match(depth):
        assert re.compile("(?:a" * depth + ")*" * depth).match("a" * depth)
        assert re.match("(?:a|b)*c", "ab" * 50 * depth) is None

    return deepest(match, MOST)
