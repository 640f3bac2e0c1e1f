"""The operations of the instruction gate: runs the loop of one case in a process under callgrind.

usage: PYTHON tests/gate/workload.py CASE COUNT

Loops are unrolled, so almost no counted instruction belongs to the loop itself.
"""

import sys
import types

import greenlet.stackless as stackless
from greenlet import getcurrent, greenlet
from greenlet.aio import await_, run
from greenlet.generators import generator, yield_

REPEATED = 50


def loop_of(statement, **names):
    """Return a function that takes a count and runs *statement* count * REPEATED times. *names* are its variables."""
    body = "\n   ".join([statement] * REPEATED)
    exec(
        f"def make({', '.join(names)}):\n def loop(count):\n  for _ in range(count):\n   {body}\n return loop",
        namespace := {},
    )
    return namespace["make"](**names)


def switch(depth):
    """Two switches, there and back, with a greenlet that is *depth* Python frames deep."""
    back = loop_of("switch()", switch=getcurrent().switch)

    def descend(levels):
        if levels > 1:
            descend(levels - 1)
        while True:
            back(1000)

    partner = greenlet(descend)
    partner.switch(depth)
    return loop_of("switch()", switch=partner.switch)


def send_and_receive():
    """A value through a channel: send() in one tasklet, receive() in another."""
    channel = stackless.channel()
    receive = loop_of("receive()", receive=channel.receive)

    def receiver():
        while True:
            receive(1000)

    stackless.tasklet(receiver)()
    stackless.run()
    return loop_of("send(None)", send=channel.send)


def value(depth):
    """A value from a function that is *depth* Python frames deep in a generator."""
    give = loop_of("yield_(None)", yield_=yield_)

    @generator
    def descend(levels):
        if levels > 1:
            calls(levels - 1)
        while True:
            give(1000)

    calls = descend.__wrapped__
    values = descend(depth)
    next(values)
    return loop_of("get()", get=values.__next__)


@types.coroutine
def suspend():
    yield


def wait():
    """An await that suspends an ordinary function, and the send() that resumes it."""
    wait_often = loop_of("await_(suspend())", await_=await_, suspend=suspend)

    def function():
        while True:
            wait_often(1000)

    coroutine = run(function)
    coroutine.send(None)
    return loop_of("send(None)", send=coroutine.send)


def function():
    pass


CASES = {
    "switch, 1 frame deep": (lambda: switch(1), 2),
    "switch, 100 frames deep": (lambda: switch(100), 2),
    "switch, 300 frames deep": (lambda: switch(300), 2),
    "create, run and die": (lambda: loop_of("greenlet(function).switch()", greenlet=greenlet, function=function), 1),
    "send and receive": (send_and_receive, 1),
    "value, 1 frame deep": (lambda: value(1), 1),
    "value, 100 frames deep": (lambda: value(100), 1),
    "await that suspends": (wait, 1),
}


def main():
    case, count = sys.argv[1], int(sys.argv[2])
    loop = CASES[case][0]()
    loop(20)  # warm-up: CPython adapts the code
    loop(count)


if __name__ == "__main__":
    main()
