"""Makes greenlets, and collects garbage."""

import gc

from greenlet import getcurrent, greenlet


def suspended(run=None, *args):
    """A greenlet that has begun *run* and switched back here."""
    if run is None:

        def run():
            getcurrent().parent.switch()

    g = greenlet(run)
    g.switch(*args)
    assert g and not g.dead
    return g


class Subclass(greenlet):
    """A Python class: its instances are deallocated by CPython's own function, which calls the finalizer."""


def collect():
    """Collects all garbage, and what collecting it made garbage."""
    while gc.collect():
        pass
