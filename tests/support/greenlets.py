"""Creates greenlets, and collects garbage."""

import gc

from greenlet import getcurrent, greenlet


def suspended(run=None, *args):
    """Return a greenlet that has started *run* and switched back here."""
    if run is None:

        def run():
            getcurrent().parent.switch()

    g = greenlet(run)
    g.switch(*args)
    assert g and not g.dead
    return g


class Subclass(greenlet):
    """A Python class, whose instances are deallocated by CPython's own function, which calls the finalizer."""


def collect():
    """Collect all garbage, and the garbage that this creates."""
    while gc.collect():
        pass
