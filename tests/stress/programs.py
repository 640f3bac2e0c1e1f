"""Random greenlet programs, from a seed.

A program is a tree, so that it can be reduced: a list of nodes, where a node is a line of Python or
a list of clauses, each a header (`try:`, `finally:`, `def body_3(...):`) and a list of nodes. The lines call
functions of runtime.py.
"""

import random
import sys

Node = "str | list[list]"

EXCEPTIONS = ["Oops", "ValueError", "KeyError", "GreenletExit", "SystemError", "KeyboardInterrupt", "StopIteration"]
CATCH = ["BaseException", "BaseException", "Exception", "Oops", "GreenletExit", "(ValueError, Oops)", "package.error"]


class Maker:
    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.count = 0
        # In the reference a greenlet that could not be started keeps the arguments. So programs with such
        # greenlets pass no arguments whose destruction is logged.
        self.failing_starts = self.random.random() < 0.3
        # On CPython 3.11, 3.14 and 3.15 the target of a switch may or may not be alive while the arguments are
        # destroyed: see runtime.py.
        self.passes_guards = not self.failing_starts and (3, 12) <= sys.version_info < (3, 14)
        self.bodies = self.random.randint(2, 6)
        self.generators = self.random.randint(0, 3)
        self.acts = self.random.randint(1, 4)
        self.callable_generators = self.generators  # a generator calls only those before it, so that all end
        # Each program prefers some operations, so that programs differ.
        self.weights = [weight * self.random.choice((0.2, 1, 1, 3)) for weight, _ in self.leaves]

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def slot(self) -> int:
        return self.random.randrange(8)

    def greenlet(self) -> str:
        return self.pick(*[f"G({self.slot()})"] * 8, "getcurrent()", "getcurrent().parent", f"G({self.slot()}).parent")

    def body(self) -> str:
        return f"body_{self.random.randrange(self.bodies)}"

    def act(self) -> str:
        return f"act_{self.random.randrange(self.acts)}"

    def argument(self) -> str:
        if self.failing_starts:
            return self.plain_value()
        value = self.value()
        return "2" if value.startswith("Guard") and not self.passes_guards else value

    def plain_value(self) -> str:
        return self.pick("1", "'s'", "None", "()", "(1, 2)", "[]", "Oops('value')", "GreenletExit", "int", "{}")

    def result(self) -> str:
        return self.plain_value() if self.failing_starts else self.value()

    def value(self) -> str:
        return self.pick(
            "1",
            "'s'",
            "None",
            "()",
            "(1, 2)",
            "[]",
            "Oops('value')",
            "GreenletExit",
            "getcurrent()",
            f"Guard({self.act()})",
            f"G({self.slot()})",
            "int",
            "{}",
        )

    def arguments(self) -> str:
        form = self.random.randrange(10)
        if form < 2:
            return ""
        if form < 6:
            return self.argument()
        if form < 7:
            return f"{self.argument()}, {self.argument()}"
        if form < 8:
            return f"a={self.argument()}"
        if form < 9:
            return f"{self.argument()}, b={self.argument()}"
        return self.pick("*range(9)", "1, 2, 3, 4, 5, 6, 7, k=8", "**{'a b': 1}", "*[], **{}")

    def exception(self) -> str:
        kind = self.pick(*EXCEPTIONS)
        return self.pick(
            "",
            "",
            kind,
            f"{kind}('x')",
            f"{kind}, 'x'",
            f"{kind}, {kind}('x')",
            f"{kind}, None, None",
            f"{kind}, ('x', 'y')",
            "5",
            "Oops, 1, 2",
            "Oops('x'), 1",
            f"{kind}, None, some_traceback()",
            f"{kind}('x'), None, some_traceback()",
            f"{kind}, {kind}('x'), some_traceback()",
            f"{kind}, ValueError('x')",
            f"Exception, {kind}('x')",
            "Picky",
            "Picky, 1",
            "Picky('x')",
            "Oops, None, None, None",
        )

    # --- one operation each ------------------------------------------------------------------------------------------

    def make(self) -> str:
        run = self.pick(
            *[self.body()] * 12, "len", "5", "None", f"functools.partial({self.body()}, 'p')", "Oops", "dict"
        )
        parent = self.pick(*[""] * 6, f", {self.greenlet()}", f", parent={self.greenlet()}", ", None", ", 5")
        cls = self.pick(*["greenlet"] * 9, "Sub", "Sub", "SubDel", "SubRun", "SubSlots")
        if self.failing_starts and self.chance(0.1):
            return f"make({self.slot()}, {self.pick(cls, 'NoInit')})"
        return f"make({self.slot()}, {cls}, {run}{parent})"

    def switch(self) -> str:
        g, arguments = self.greenlet(), self.arguments()
        return self.pick(
            *[f"say({g}.switch({arguments}))"] * 10,
            f"say(deep({self.random.randrange(12)}, lambda: {g}.switch({arguments})))",
            f"say(list(map({g}.switch, (1, 2))))",
            f"say(sorted((2, 1, 3), key={g}.switch))",
            f"say(functools.partial({g}.switch, 1)(2))",
            f"say(operator.methodcaller('switch', {self.argument()})({g}))",
            f"say(greenlet.switch({g}, {self.argument()}))",
            f"say([1, Switcher({self.slot()})] == [Switcher({self.slot()}), 1])",
            f"say({{Switcher({self.slot()}): 1}})",
            f"say(repr(Switcher({self.slot()})))",
            f"say((1, 2)[Switcher({self.slot()})])",
            f"say(Switcher({self.slot()}).attribute)",
            f"say(Context(lambda: {g}.switch({arguments})))",
            f"say([{g}.switch(i) for i in range(2)])",
            f"say(min([Switcher({self.slot()}), Switcher({self.slot()})]))",
            f"say(sum(map(lambda x: bool({g}.switch(x)), range(2))))",
            f"say(({g}.switch(1), {g}.switch(2), 3))",
            f"say(awaited(lambda: {g}.switch({arguments})))",
            f"say(stubborn({self.random.randint(1, 3)}, lambda: {g}.switch({arguments})))",
            f"say(format(Switcher({self.slot()}), 'x'))",
            f"say(functools.reduce(Switcher({self.slot()}), (1, 2, 3)))",
            f"say(root().switch({arguments}))",
        )

    def switch_back(self) -> str:
        return f"say(getcurrent().parent.switch({self.arguments()}))"

    def throw(self) -> str:
        return f"say({self.greenlet()}.throw({self.exception()}))"

    def drop(self) -> str:
        slot = self.slot()
        return self.pick(
            f"R[{slot}] = None",
            f"R[{slot}] = None",
            f"R[{slot}] = R[{self.slot()}]",
            f"R[{slot}], R[{self.slot()}] = R[{self.slot()}], R[{slot}]",
            f"R[{slot}] = getcurrent()",
        )

    def parent(self) -> str:
        slot = self.slot()
        return self.pick(
            *[f"{self.greenlet()}.parent = {self.pick(*[self.greenlet()] * 9, 'None', '5')}"] * 8,
            f"G({slot}).parent = G({slot})",
            f"G({slot}).parent.parent = G({slot})",
            f"root().parent = {self.greenlet()}",
            f"getcurrent().parent = G({slot}).parent.parent",
            "getcurrent().parent = root()",
        )

    def fail(self) -> str:
        return self.pick(
            f"raise {self.pick(*EXCEPTIONS)}", f"raise Oops({self.value()})", f"return {self.result()}", "1 / 0"
        )

    def trace(self) -> str:
        return self.pick(
            "settrace(None)",
            "settrace(None)",
            "settrace(tracer)",
            "settrace(tracer)",
            "say(settrace(trace_badly))",
            f"settrace(trace_with({self.act()}))",
            "say(gettrace())",
            f"settrace(trace_raising({self.pick(*EXCEPTIONS)}))",
            "settrace(5)",
            "settrace()",
        )

    def context(self) -> str:
        i, slot = self.random.randrange(2), self.slot()
        variable = f"x{self.random.randrange(3)}"
        return self.pick(
            f"V[{i}].set({self.random.randrange(9)})",
            f"V[0].set(Guard({self.act()}))",
            f"say(V[{i}].get())",
            f"Context({self.act()})",
            f"set_context({slot}, contextvars.copy_context())",
            f"set_context({slot}, None)",
            f"set_context({slot}, context_of(G({self.slot()})))",
            f"set_context({slot}, 5)",
            f"say(context_of(G({slot})).get(V[{i}]))",
            f"say(V[{i}].get())",
            f"getcurrent().gr_context = context_of(G({slot}))",
            f"del G({slot}).gr_context",
            f"{variable} = V[{i}].set({self.random.randrange(9)})",
            f"V[{i}].reset({variable})",
            f"context_of(G({slot})).run({self.act()})",
        )

    def collect(self) -> str:
        return "collect()"

    def ask(self) -> str:
        slot = self.slot()
        if self.failing_starts and self.chance(0.05):
            return f"del G({slot}).run"
        return self.pick(
            f"ask({slot})",
            f"ask({slot})",
            "frames()",
            "exception_now()",
            f"say(G({slot}).run)",
            f"G({slot}).run = {self.body()}",
            f"say(copy.copy(G({slot})))",
            f"pickle.dumps(G({slot}))",
            f"G({slot}).__init__({self.body()})",
            f"say(G({slot}) == G({self.slot()}))",
            f"del G({slot}).parent",
            f"G({slot}).dead = 1",
            f"make_late({slot}, {self.pick('greenlet', 'SubDel', 'SubSlots')}, {self.body()})",
            f"G({slot}).run = 5",
            f"G({slot}).__dict__['run'] = {self.body()}",
            f"G({slot}).__init__({self.body()}, {self.greenlet()})",
            f"G({slot}).__init__()",
            f"G({slot}).__class__ = {self.pick('greenlet', 'Sub', 'SubDel', 'SubSlots', 'int')}",
        )

    def guard(self) -> str:
        variable = f"x{self.random.randrange(3)}"
        return self.pick(
            f"{variable} = Guard({self.act()})",
            f"{variable} = Guard({self.act()})",
            f"{variable} = None",
            f"keep(Guard({self.act()}))",
            f"{variable} = [Guard({self.act()})]; {variable}.append({variable})",
            f"watch({self.slot()}, {self.act()})",
            f"G({self.slot()}).extra = Guard({self.act()})",
            f"G({self.slot()}).at_end = {self.act()}",
            f"G({self.slot()}).hook = {self.act()}",
            f"del {variable}",
        )

    def generator(self) -> str:
        if not self.callable_generators:
            return self.ask()
        call = f"gen_{self.random.randrange(self.callable_generators)}()"
        variable = f"x{self.random.randrange(3)}"
        return self.pick(
            f"say(list({call}))",
            f"{variable} = {call}",
            f"say(next({variable}))",
            f"keep({call})",
            f"{variable}.close()",
            f"say({variable}.throw(Oops))",
            f"{variable} = {call}; say(next({variable}))",
        )

    def thread(self) -> str:
        if not self.failing_starts:
            return self.ask()
        return self.pick(*[f"in_thread({self.act()})"] * 5, "leave_in_thread()")

    leaves = [
        (14, make),
        (20, switch),
        (8, switch_back),
        (8, throw),
        (7, drop),
        (5, parent),
        (4, fail),
        (3, trace),
        (5, context),
        (3, collect),
        (7, ask),
        (5, guard),
        (4, generator),
        (0.7, thread),
    ]

    # --- statements --------------------------------------------------------------------------------------------------

    def leaf(self) -> str:
        choose = self.random.choices([function for _, function in self.leaves], self.weights)[0]
        self.count += 1
        return f"op({self.count}); {choose(self)}"

    def node(self, depth: int):
        if depth <= 0 or self.chance(0.6):
            leaf = self.leaf()
            return [["try:", [leaf]], ["except BaseException as e:", ["caught(e)"]]] if self.chance(0.5) else leaf
        form = self.random.randrange(12)
        if form < 4:
            clauses = [
                ["try:", self.nodes(depth - 1)],
                [f"except {self.pick(*CATCH)} as e:", ["caught(e)", *self.nodes(depth - 1)]],
            ]
            if self.chance(0.4):
                clauses.append(["finally:", self.nodes(depth - 1)])
            return clauses
        if form < 6:
            return [["try:", self.nodes(depth - 1)], ["finally:", self.nodes(depth - 1)]]
        if form < 8:
            return [[f"for i in range({self.random.randint(1, 4)}):", self.nodes(depth - 1)]]
        if form < 9:
            return [[f"with Manager({self.act()}, {self.chance(0.3)}):", self.nodes(depth - 1)]]
        if form < 10 and self.callable_generators:
            return [[f"for i in gen_{self.random.randrange(self.callable_generators)}():", self.nodes(depth - 1)]]
        if form < 11:
            return [["if bool(getcurrent().parent):", self.nodes(depth - 1)], ["else:", self.nodes(depth - 1)]]
        return [["try:", ["raise Oops('handled')"]], ["except Oops:", self.nodes(depth - 1)]]

    def nodes(self, depth: int) -> list:
        return [self.node(depth) for _ in range(self.random.randint(1, 4))]

    def generator_nodes(self, number: int) -> list:
        nodes = []
        self.callable_generators = number
        for _ in range(self.random.randint(1, 3)):
            nodes += self.nodes(1)
            nodes.append(
                self.pick(
                    "yield 1",
                    "say((yield 2))",
                    "yield from (3, 4)",
                    f"yield from gen_{self.random.randrange(number)}()" if number else "yield 5",
                )
            )
        if self.chance(0.4):
            nodes = [[["try:", nodes], ["finally:", self.nodes(1)]]]
        self.callable_generators = self.generators
        return nodes

    def program(self) -> list:
        functions = []
        for i in range(self.acts):
            # Callbacks are short, so that frequent callbacks are often harmless.
            functions.append([[f"def act_{i}():", self.nodes(1) if self.chance(0.7) else []]])
        for i in range(self.generators):
            functions.append([[f"def gen_{i}():", self.generator_nodes(i)]])
        for i in range(self.bodies):
            functions.append(
                [[f"def body_{i}(*arguments, **named):", ["say((arguments, named))", *self.nodes(3), *self.nodes(2)]]]
            )
        main = []
        for _ in range(self.random.randint(6, 16)):
            main.append(
                [["try:", [self.node(2)]], ["except Done:", ["raise"]], ["except BaseException as e:", ["caught(e)"]]]
            )
        return [*functions, [["def main():", main]]]


def as_source(nodes: list, indent: str = "") -> str:
    lines = []
    for node in nodes:
        if isinstance(node, str):
            lines.append(indent + node)
            continue
        for header, children in node:
            lines.append(indent + header)
            lines.append(as_source(children, indent + "    ") if children else indent + "    pass")
    return "\n".join(lines)


def program(seed: int) -> list:
    return Maker(seed).program()


def smaller(nodes: list):
    """Yield each program that is this one with one part removed, large parts first."""
    yield from _without_chunks(nodes)
    for i, node in enumerate(nodes):
        if isinstance(node, str):
            continue
        for header, children in node:
            if not header.startswith("def ") and children:
                yield nodes[:i] + children + nodes[i + 1 :]
        for j, (header, children) in enumerate(node):
            for fewer in smaller(children):
                yield nodes[:i] + [node[:j] + [[header, fewer]] + node[j + 1 :]] + nodes[i + 1 :]
    for i, node in enumerate(nodes):
        if isinstance(node, list) and len(node) > 2:
            for j in range(1, len(node)):
                yield nodes[:i] + [node[:j] + node[j + 1 :]] + nodes[i + 1 :]


def _without_chunks(nodes: list):
    size = len(nodes)
    while size >= 1:
        for begin in range(0, len(nodes), size):
            yield nodes[:begin] + nodes[begin + size :]
        size //= 2
