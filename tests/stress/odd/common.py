"""The registry of odd programs, and functions that several of them use."""

from support.registry import Registry

from greenlet import getcurrent, greenlet

program = Registry()
main = getcurrent()


def parrot(value=None):
    while True:
        value = getcurrent().parent.switch(value)


def suspended(run=parrot, *arguments, cls=greenlet):
    g = cls(run)
    g.switch(*arguments)
    return g


def raises(kind, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except kind:
        return
    raise AssertionError(f"{function} did not raise {kind}")
