"""Producers and consumers, the classic example of tasklets and channels.

A channel stores nothing: the sender or receiver that comes first waits for the other. So a producer and a consumer take
turns. Several of each may share a channel. A producer that should run ahead of its consumer needs a buffer, which takes
a few more lines.
"""

from collections import deque

import greenlet.stackless as stackless


def produce(name, count, send):
    for number in range(1, count + 1):
        print(f"{name} makes {number}")
        send(f"{number} of {name}")


def consume(name, source):
    for item in source:
        print(f"    {name} uses {item}")
    print(f"    {name} ends")


def end(channel):
    """End all loops over a channel."""
    while channel.balance < 0:
        channel.send_exception(StopIteration)


def taking_turns():
    channel = stackless.channel()
    stackless.tasklet(consume)("carol", channel)
    stackless.tasklet(produce)("alice", 3, channel.send)
    stackless.run()  # until alice has ended, and carol waits
    end(channel)


def sharing_a_channel():
    channel = stackless.channel()
    for name in ("carol", "dave", "erin"):
        stackless.tasklet(consume)(name, channel)
    for name in ("alice", "bob"):
        stackless.tasklet(produce)(name, 3, channel.send)
    stackless.run()
    end(channel)


class Buffer:
    """Keeps up to *capacity* items. put() waits while it is full, and the iterator while it is empty."""

    def __init__(self, capacity):
        self._capacity = capacity
        self._items = deque()
        self._space = stackless.channel()  # where producers wait
        self._filled = stackless.channel()  # where consumers wait
        # The woken tasklet is only scheduled, and the tasklet that wakes it continues: it may have more to do.
        self._space.preference = self._filled.preference = 1

    def put(self, item):
        while len(self._items) == self._capacity:
            self._space.receive()
        self._items.append(item)
        if self._filled.balance < 0:
            self._filled.send(None)

    def __iter__(self):
        while True:
            while not self._items:
                try:
                    self._filled.receive()
                except StopIteration:
                    return
            item = self._items.popleft()
            if self._space.balance < 0:
                self._space.send(None)
            yield item

    def end(self):
        end(self._filled)


def running_ahead():
    buffer = Buffer(capacity=2)
    stackless.tasklet(consume)("carol", buffer)
    stackless.tasklet(produce)("alice", 5, buffer.put)
    stackless.run()
    buffer.end()
    stackless.run()


if __name__ == "__main__":
    for example in (taking_turns, sharing_a_channel, running_ahead):
        print(f"--- {example.__name__.replace('_', ' ')}")
        example()
