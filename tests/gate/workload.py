"""What the instruction gate counts: one loop of one of these, in a process under callgrind.

usage: PYTHON tests/gate/workload.py CASE COUNT

A loop's body is repeated in its text, so that next to nothing of what is counted belongs to the loop.
"""

import sys

import greenlet.stackless as stackless
from greenlet import getcurrent, greenlet

REPEATED = 50


def loop_of(statement, **names):
    """A function of a count that runs *statement*, in which *names* are known, REPEATED times as often."""
    body = "\n   ".join([statement] * REPEATED)
    exec(f"def make({', '.join(names)}):\n def loop(count):\n  for _ in range(count):\n   {body}\n return loop",
         namespace := {})
    return namespace["make"](**names)


def switch(depth):
    """There and back, two switches, with a greenlet that is *depth* Python frames deep."""
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


def function():
    pass


CASES = {
    "switch, 1 frame deep": (lambda: switch(1), 2),
    "switch, 100 frames deep": (lambda: switch(100), 2),
    "switch, 300 frames deep": (lambda: switch(300), 2),
    "create, run and die": (lambda: loop_of("greenlet(function).switch()", greenlet=greenlet, function=function), 1),
    "send and receive": (send_and_receive, 1),
}


def main():
    case, count = sys.argv[1], int(sys.argv[2])
    loop = CASES[case][0]()
    loop(20)  # what is done once is done, and CPython has adapted its code
    loop(count)


if __name__ == "__main__":
    main()
