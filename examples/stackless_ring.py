"""A ring of 100,000 tasklets that pass a token around.

usage: python examples/stackless_ring.py [TASKLETS [ROUNDS]]

Each tasklet waits on a channel of its own for the token, and hands it to the next one. So nearly all of them are asleep, each
in the middle of its function and on its own stack, and exactly one runs.
"""

import sys
from time import perf_counter

import greenlet.stackless as stackless
from greenlet import stack_size


def member(mine, following):
    """Hand each token that comes in to the next one, with one added."""
    while True:
        following.send(mine.receive() + 1)


def ring_of(size):
    """Make a ring with a gap. Returns its channels: one puts a token into the first and gets it back from the last."""
    channels = [stackless.channel() for _ in range(size + 1)]
    for mine, following in zip(channels, channels[1:]):
        stackless.tasklet(member)(mine, following)
    stackless.run()  # until all of them wait
    return channels


def main(size=100_000, rounds=10):
    stack_size(256 * 1024)  # address space, of which each uses one page: 24 GiB for 100,000 is enough

    begin = perf_counter()
    channels = ring_of(size)
    made = perf_counter()
    print(f"{size} tasklets wait, {stackless.getruncount()} runs")

    token = 0
    for _ in range(rounds):
        channels[0].send(token)
        token = channels[-1].receive()
    done = perf_counter()
    print(f"the token went through {token} hands")

    print(f"making a tasklet took {(made - begin) / size * 1e9:,.0f} ns, a hand {(done - made) / token * 1e9:,.0f} ns")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
