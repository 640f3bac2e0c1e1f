"""Sub-interpreters, through the private module that concurrent.interpreters uses."""

import os

from case import CPYTHON, case

FINALIZERS = """
import os
count = 0
class Link:
    def __init__(self, inner):
        self.inner = inner
    def __del__(self):
        global count
        count += 1
link = None
for _ in range(20_000):
    link = Link(link)
del link
os.write({fd}, b"%d" % count)
"""

ITS_LIMITS = "from 3.14 on a thread state that CPython creates in a greenlet assumes that it runs on the thread's stack"

ENDLESS = """
import os
class Endless:
    def __repr__(self):
        return repr(self)
def endless():
    endless()
for function in (endless, lambda: repr(Endless())):
    try:
        function()
    except RecursionError as error:
        os.write({fd}, type(error).__name__.encode() + b" ")
"""

NESTED = """
import os, json, re
value = []
for _ in range(400):
    value = [value]
assert json.loads(json.dumps(value)) == value
compile("a" + "+a" * 400, "case", "eval")
sorted([3, 1, 2], key=lambda x: sorted([x], key=abs))
os.write({fd}, repr(value)[:10].encode())
"""


def output_of(source):
    """Run *source* in a new interpreter. Returns what it writes to the descriptor fd."""
    import _interpreters

    reader, writer = os.pipe()
    interpreter = _interpreters.create()
    try:
        failure = _interpreters.exec(interpreter, source.format(fd=writer))
    finally:
        _interpreters.destroy(interpreter)
        os.close(writer)
    with open(reader) as file:
        return [file.read(), str(failure) if failure else "no exception"]


@case(CPYTHON, since=(3, 13), on_thread_stack=ITS_LIMITS)
def interpreter_with_finalizers():
    """20,000 objects in a chain with finalizers, in a sub-interpreter, are all finalized."""
    return output_of(FINALIZERS)


@case(CPYTHON, since=(3, 13), on_thread_stack=ITS_LIMITS)
def interpreter_with_endless_recursion():
    """Endless recursion in a sub-interpreter is a RecursionError there."""
    return output_of(ENDLESS)


@case(CPYTHON, since=(3, 13), on_thread_stack=ITS_LIMITS)
def interpreter_with_nested_data():
    """JSON, the compiler, sort keys and repr() in a sub-interpreter, nested 400 deep."""
    return output_of(NESTED)


@case(CPYTHON, since=(3, 14), on_thread_stack=ITS_LIMITS)
def interpreters_of_concurrent():
    """concurrent.interpreters: the same sources through its exec(), call() and a queue."""
    from concurrent import interpreters

    interpreter = interpreters.create()
    queue = interpreters.create_queue()
    interpreter.prepare_main(queue=queue)
    interpreter.exec(FINALIZERS.replace('os.write({fd}, b"%d" % count)', "queue.put(count)"))
    results = [queue.get(), interpreter.call(pow, 2, 10)]
    try:
        interpreter.exec("def endless():\n    endless()\nendless()")
    except interpreters.ExecutionFailed as error:
        results.append(error.excinfo.type.__name__)
    interpreter.close()
    return results
