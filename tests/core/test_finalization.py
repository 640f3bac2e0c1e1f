"""The results of functions and methods in a destructor that runs during the interpreter's finalization.

The entries of the C API are in capi/test_interpreters.py.
"""

import pytest
from support.processes import output_of

# The objects that exist when the destructor runs.
PRELUDE = """
import asyncio, builtins, sys
import greenlet as package
from greenlet import aio, error, getcurrent, greenlet, stackless
from greenlet.generators import generator, yield_

main = getcurrent()

def suspended():
    g = greenlet(lambda: main.switch())
    g.switch()
    return g

@generator
def count():
    for i in range(5):
        yield_(i)

def begun():
    values = count()
    next(values)
    return values

def waiting():
    coroutine = aio.run(lambda: aio.await_(asyncio.sleep(0)))
    coroutine.send(None)
    return coroutine

def receiving():
    channel = stackless.channel()
    stackless.tasklet(channel.receive)()
    stackless.run()
    return channel

g, fresh, finished = suspended(), greenlet(lambda: "result"), greenlet(len)
thrown, values, closed, awaiting, channel = suspended(), begun(), begun(), waiting(), receiving()
finished.throw()
tasklet = stackless.tasklet(lambda: None)()
names = dict(globals())

class Witness:
    def __del__(self, eval=eval, names=names, print=print, type=type, repr=repr, Exception=Exception):
        for expression in self.expressions:
            try:
                outcome = repr(eval(expression, names))
            except Exception as exception:
                outcome = type(exception).__name__
            print(outcome, flush=True)

builtins.kept = Witness()
"""

GREENLETS = {
    "sys.is_finalizing()": "True",
    "getcurrent()": "RuntimeError",
    "greenlet.getcurrent()": "RuntimeError",
    "type(greenlet(len)) is greenlet": "True",
    "package.settrace(None)": "None",
    "package.gettrace()": "None",
    "package.stack_size() > 0": "True",
    "package.trim_stacks()": "None",
    "package.report_stack_overflow(False)": "False",
    "package.on_thread_stack(len, 'abc')": "3",
    "package.enable_optional_cleanup(True)": "None",
    "package.get_clocks_used_doing_optional_cleanup() >= 0": "True",
    "fresh.switch()": "'result'",
    "g.gr_frame is not None": "True",
    "g.gr_context": "None",
    "g.dead": "False",
    "bool(g)": "True",
    "g.parent is main": "True",
    "repr(g).startswith('<greenlet.greenlet object at ')": "True",
    "setattr(g, 'parent', main)": "None",
    "setattr(g, 'gr_context', None)": "None",
    "setattr(greenlet(), 'run', len)": "None",
    "g.switch()": "()",
    "g.dead ": "True",
    "main.switch(1)": "1",
    "finished.switch(1)": "1",
    "thrown.throw(LookupError)": "LookupError",
    "thrown.throw()": "GreenletExit()",
}

GENERATORS = {
    "next(values)": "1",
    "values.send(None)": "2",
    "values.gi_frame is not None": "True",
    "values.gi_running": "False",
    "values.throw(LookupError)": "LookupError",
    "closed.close()": "None",
    "list(count())": "[0, 1, 2, 3, 4]",
    "yield_(1)": "RuntimeError",
}

COROUTINES = {
    "awaiting.send(None)": "StopIteration",
    "awaiting.close()": "None",
    "waiting().close()": "None",
    "aio.run(len, 'abc').send(None)": "StopIteration",
    "aio.await_(asyncio.sleep(0))": "RuntimeError",
    "aio.has_portal()": "False",
}

TASKLETS = {
    "stackless.getcurrent() is stackless.getmain()": "True",
    "stackless.getruncount()": "2",
    "stackless.schedule() is stackless.getmain()": "True",
    "tasklet.alive": "False",
    "stackless.run()": "None",
    "channel.balance": "0",  # an atexit function has killed the waiting tasklet
    "channel.send(1)": "RuntimeError",
    "stackless.channel().receive()": "RuntimeError",
    "stackless.tasklet(len)('abc').run()": "None",
    "stackless.tasklet(len)('abc').kill()": "None",
    "stackless.switch_trap(0)": "0",
    "stackless.get_thread_info()[2]": "1",
}


@pytest.mark.parametrize(
    "outcomes", [GREENLETS, GENERATORS, COROUTINES, TASKLETS], ids=["greenlets", "generators", "coroutines", "tasklets"]
)
def test_everything_works_or_raises_and_nothing_hangs(outcomes):
    said = output_of(PRELUDE + f"kept.expressions = {list(outcomes)!r}", timeout=30).splitlines()
    assert dict(zip(outcomes, said, strict=True)) == outcomes


def test_the_process_ends_with_all_of_it_suspended():
    assert output_of(PRELUDE + "kept.expressions = ['sys.is_finalizing()']", timeout=30) == "True\n"
