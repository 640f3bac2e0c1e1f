"""Generators that yield with a function call, which may be at any call depth.

A native generator suspends one frame only: each level of a recursion needs its own ``yield from``, and a
callback can't yield at all. A generator of this module suspends a whole stack of calls::

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

Otherwise they behave like native generators: ``send()``, ``throw()``, ``close()`` and the attributes ``gi_...`` are
there. A generator belongs to the thread that began it.
"""

import functools

from . import _greenlet

__all__ = ["Generator", "generator", "yield_"]

Generator = _greenlet.generators.Generator
yield_ = _greenlet.generators.yield_


def generator(function):
    """Decorate a function so that a call returns a generator of the values it passes to `yield_`.

    The function starts running when the first value is requested. Its result is the value of the
    `StopIteration` that ends the iteration.

    Parameters:
        function: a function, a method (in the body of a class), a `classmethod`, a `staticmethod`, or any
            other callable.
    Returns:
        A callable of the same kind, which returns a `Generator`.
    Raises:
        TypeError: the function is not callable, or has ``yield`` or ``async`` in its definition.
    """
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(generator(function.__func__))
    # functools.update_wrapper() would fail, because it sets __wrapped__, which is read-only here.
    made = _greenlet.generators.GeneratorFunction(function)
    for name in functools.WRAPPER_ASSIGNMENTS:
        try:
            setattr(made, name, getattr(function, name))
        except AttributeError:
            pass
    made.__dict__.update(getattr(function, "__dict__", {}))
    return made
