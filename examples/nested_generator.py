"""A generator whose nested function calls yield.

A native generator can suspend only one frame: each level of a recursion needs a `yield from`, and
each value passes through all of them. A greenlet suspends a whole stack of calls, so any function
called from the generator may yield, at any depth, and the value goes to the consumer in one switch.
"""

from functools import wraps

from greenlet import getcurrent, greenlet


class Generator(greenlet):
    """Iterates over the values that *function*, and the functions it calls, pass to `give`."""

    def __init__(self, function, *args, **kwargs):
        super().__init__(lambda: function(*args, **kwargs))

    def __iter__(self):
        return self

    def __next__(self):
        # The consumer gets the next value, or the exception.
        self.parent = getcurrent()
        value = self.switch()
        if self.dead:
            raise StopIteration
        return value


def give(value):
    """Give *value* to the consumer of the running generator, and wait until it requests another."""
    running = getcurrent()
    if not isinstance(running, Generator):
        raise RuntimeError("give() was called outside of a generator")
    running.parent.switch(value)


def generator(function):
    """Decorator: a call of the function returns a `Generator`."""

    @wraps(function)
    def make(*args, **kwargs):
        return Generator(function, *args, **kwargs)

    return make


def in_order(tree):
    """Give the labels of a binary tree (left, label, right). This is a plain recursive function."""
    if tree is not None:
        left, label, right = tree
        in_order(left)
        give(label)
        in_order(right)


@generator
def labels(tree):
    in_order(tree)


@generator
def permutations(items):
    def extend(left, chosen):
        if not left:
            give("".join(chosen))
        for i, item in enumerate(left):
            extend(left[:i] + left[i + 1 :], (*chosen, item))

    extend(list(items), ())


def tree_of(sequence):
    """Return a balanced tree of the labels in *sequence*."""
    if not sequence:
        return None
    middle = len(sequence) // 2
    return tree_of(sequence[:middle]), sequence[middle], tree_of(sequence[middle + 1 :])


if __name__ == "__main__":
    print("in order:    ", *labels(tree_of("abcdefghijklmno")))
    print("permutations:", *permutations("abc"))
    # Two generators, advanced in turn.
    print("side by side:", *map("".join, zip(labels(tree_of("greenlet")), labels(tree_of("GREENLET")))))
