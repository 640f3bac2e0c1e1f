"""What tasklets cost: a value through a channel, schedule(), creation, beside bare greenlet switches of the same run.

usage: python benchmarks/stackless.py [--json]

The median of several rounds; in each of them every figure is taken in turn, so that what the machine does meanwhile falls on
all. The first line is the measure of the others: one way of a switch between two greenlets, as Python code calls it.
"""

import argparse
import json
import statistics
from time import perf_counter_ns

import greenlet.stackless as stackless
from greenlet import getcurrent, greenlet

ROUNDS = 15
COUNT = 20_000
UNROLLED = 10


def unrolled(statement, **names):
    """A function that runs *statement* COUNT times."""
    body = "\n        ".join([statement] * UNROLLED)
    source = f"def make({', '.join(names)}):\n  def loop():\n    for _ in range({COUNT // UNROLLED}):\n        {body}\n  return loop\n"
    namespace = {}
    exec(source, namespace)
    return namespace["make"](**names)


def time_of(function):
    begin = perf_counter_ns()
    function()
    return (perf_counter_ns() - begin) / COUNT


def greenlet_switch():
    """One way of a switch between two greenlets."""
    main = getcurrent()
    partner = greenlet(unrolled("main.switch()", main=main))
    partner.switch()
    loop = unrolled("partner.switch()", partner=partner)
    return time_of(loop) / 2


def run_both(first, second):
    stackless.tasklet(first)()
    stackless.tasklet(second)()
    return time_of(stackless.run)


def pair(preference):
    """One send() and the receive() that takes the value."""
    channel = stackless.channel()
    channel.preference = preference
    return run_both(unrolled("receive()", receive=channel.receive), unrolled("send(None)", send=channel.send))


def pair_by_attribute():
    """The same, with the methods looked up each time."""
    channel = stackless.channel()
    return run_both(unrolled("c.receive()", c=channel), unrolled("c.send(None)", c=channel))


def pipe():
    """A value of send_sequence() into a loop over the channel."""
    channel = stackless.channel()

    def producer():
        channel.send_sequence(range(COUNT))
        channel.send_exception(StopIteration)

    def consumer():
        for _ in channel:
            pass

    return run_both(consumer, producer)


def schedule():
    """One schedule() with two tasklets that do nothing else."""
    loop = unrolled("schedule()", schedule=stackless.schedule)
    return run_both(loop, loop) / 2


def create_and_run():
    """A tasklet that is made, runs and ends."""

    def nothing():
        pass

    def loop():
        for _ in range(COUNT):
            stackless.tasklet(nothing)()
            stackless.run()

    return time_of(loop)


def create_many():
    """The same, but all are made before the first runs."""

    def nothing():
        pass

    def loop():
        for _ in range(COUNT):
            stackless.tasklet(nothing)()
        stackless.run()

    return time_of(loop)


FIGURES = {
    "greenlet switch, one way": greenlet_switch,
    "send/receive pair": lambda: pair(-1),
    "send/receive pair, preference 1": lambda: pair(1),
    "send/receive pair, preference 0": lambda: pair(0),
    "send/receive pair, methods looked up": pair_by_attribute,
    "value through send_sequence and iteration": pipe,
    "schedule()": schedule,
    "tasklet: made, run, ended": create_and_run,
    "tasklet: made with all others, run, ended": create_many,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    times = {name: [] for name in FIGURES}
    for _ in range(ROUNDS):
        for name, function in FIGURES.items():
            times[name].append(function())
    medians = {name: statistics.median(values) for name, values in times.items()}
    if arguments.json:
        print(json.dumps(medians))
        return
    switch = medians["greenlet switch, one way"]
    print(f"{'':42} {'ns':>7} {'in switches':>12}")
    for name, value in medians.items():
        print(f"{name:42} {value:7.1f} {value / switch:12.2f}")


if __name__ == "__main__":
    main()
