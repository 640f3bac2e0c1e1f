"""The cost of creating, running and finishing greenlets."""

from table import UNROLLED, loop_of

from suite import Loop, Row

CHAIN = 100_000


def nothing() -> None:
    pass


def create() -> Loop:
    from greenlet import greenlet

    return loop_of("greenlet(function)", greenlet=greenlet, function=nothing)


def create_run_die() -> Loop:
    from greenlet import greenlet

    return loop_of("greenlet(function).switch()", greenlet=greenlet, function=nothing)


def create_run_die_of_subclass() -> Loop:
    from greenlet import greenlet

    class Subclass(greenlet):
        def run(self):
            pass

    return loop_of("Subclass().switch()", Subclass=Subclass)


def chain(length: int) -> Loop:
    """Each greenlet waits for a number, adds one and passes it to the greenlet created before it; then all finish."""
    from greenlet import getcurrent, greenlet

    main = getcurrent()

    def link(following):
        following.switch(main.switch() + 1)

    def loop(count):
        for _ in range(count):
            links = [main]
            for _ in range(length):
                links.append(greenlet(link))
                links[-1].switch(links[-2])
            total = links[-1].switch(0)
            assert total == length, total
            for each in links[:0:-1]:
                each.switch()

    return loop


ROWS = [
    Row("create only", create, UNROLLED, 3, True),
    Row("create, run and die", create_run_die, UNROLLED, 50, True),
    Row("create, run and die, Python subclass", create_run_die_of_subclass, UNROLLED, 20, True),
    Row(f"chain of {CHAIN:,}, a link", lambda: chain(CHAIN), CHAIN),
]
