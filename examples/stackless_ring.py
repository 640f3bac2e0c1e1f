"""A ring of 100,000 tasklets that pass a token around.

usage: python examples/stackless_ring.py [TASKLETS [ROUNDS]]

Each tasklet waits for the token on a channel of its own, and passes it to the next one. So exactly one tasklet runs,
and all others are suspended in the middle of their functions, each on its own stack.
"""

import sys
from time import perf_counter

import greenlet.stackless as stackless
from greenlet import stack_size


def member(mine, following):
    """Add one to each token that arrives, and pass it on."""
    while True:
        following.send(mine.receive() + 1)


def ring_of(size):
    """Create an open ring. Returns its channels: a token that is sent to the first comes back from the last."""
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
