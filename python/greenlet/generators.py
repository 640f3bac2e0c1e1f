"""Generators whose functions yield with a call, so that any function they call can do so.

A native generator suspends one frame only: each level of a recursion needs a ``yield from`` of its own,
and a callback can not yield at all. A generator of this module suspends a whole stack of calls::

    from greenlet.generators import generator, yield_

    def walk(tree):
        if tree:
            left, label, right = tree
            walk(left)
            yield_(label)
            walk(right)

    labels = generator(walk)

    for label in labels(tree):
        ...

In all else they do as native generators do; where they can not, the documentation says so.
"""

import functools

from . import _greenlet

__all__ = ["Generator", "generator", "yield_"]

Generator = _greenlet.generators.Generator
yield_ = _greenlet.generators.yield_


def generator(function):
    """Decorator: calling the function makes a generator of the values it passes to `yield_`.

    The function begins to run when the first value is asked for. What it returns is the value of the
    `StopIteration` that ends the iteration.

    Parameters:
        function: a function, a method (in the body of a class), a `classmethod`, a `staticmethod`, or any
            other callable.
    Returns:
        The same kind of thing, that returns a `Generator`.
    Raises:
        TypeError: it is not callable, or has ``yield`` or ``async`` in its definition.
    """
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(generator(function.__func__))
    # __wrapped__ is an attribute of its own, so functools.update_wrapper() can't be left to set it.
    made = _greenlet.generators.GeneratorFunction(function)
    for name in functools.WRAPPER_ASSIGNMENTS:
        try:
            setattr(made, name, getattr(function, name))
        except AttributeError:
            pass
    made.__dict__.update(getattr(function, "__dict__", {}))
    return made
