"""Generators that several files of tests use."""

from greenlet.generators import generator, yield_


@generator
def count_to(n):
    for i in range(1, n + 1):
        yield_(i)


@generator
def echo():
    """Yield each value that is sent, and return all of them."""
    received = []
    value = None
    while True:
        value = yield_(value)
        if value is None:
            return received
        received.append(value)
