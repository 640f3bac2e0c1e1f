"""Measures tasklets and channels, compared with greenlets that pass values directly, asyncio, and threads.

usage: PYTHON benchmarks/stackless.py           on the running interpreter, which needs this package
       PYTHON benchmarks/stackless.py --page    on each release build found, for docs/stackless.md
       PYTHON benchmarks/stackless.py --json

The figures are nanoseconds, medians of several rounds. Each round measures every figure once, so other work on the
machine disturbs all of them. The first row is one switch between two greenlets, one way, called from Python. The second
column is the ratio to it.
"""

import asyncio
import json
import queue
import statistics
import sys
import threading
from time import perf_counter_ns

if "--page" not in sys.argv:  # which the running interpreter only writes
    import greenlet.stackless as stackless
    from greenlet import getcurrent, greenlet, stack_size

ROUNDS = 11
COUNT = 20_000
COUNT_BETWEEN_THREADS = 2_000
UNROLLED = 10
SMALL_RING, LARGE_RING = 100, 100_000
ROUNDS_OF_LARGE_RING = 3
SWITCH = "greenlet switch, one way"
IN_LARGE_RING = f"hop in a ring of {LARGE_RING:,} tasklets"


def unrolled(statement, **names):
    """Return a function that runs *statement* COUNT times."""
    body = "\n        ".join([statement] * UNROLLED)
    loop = f"  def loop():\n    for _ in range({COUNT // UNROLLED}):\n        {body}\n"
    source = f"def make({', '.join(names)}):\n{loop}  return loop\n"
    namespace = {}
    exec(source, namespace)
    return namespace["make"](**names)


def time_of(function, count=COUNT):
    begin = perf_counter_ns()
    function()
    return (perf_counter_ns() - begin) / count


def greenlet_switch():
    main = getcurrent()
    partner = greenlet(unrolled("main.switch()", main=main))
    partner.switch()
    loop = unrolled("partner.switch()", partner=partner)
    return time_of(loop) / 2


def run_both(first, second):
    stackless.tasklet(first)()
    stackless.tasklet(second)()
    return time_of(stackless.run)


def pair(preference):
    """One send() and the receive() that takes the value."""
    channel = stackless.channel()
    channel.preference = preference
    return run_both(unrolled("receive()", receive=channel.receive), unrolled("send(None)", send=channel.send))


def pair_by_attribute():
    channel = stackless.channel()
    return run_both(unrolled("c.receive()", c=channel), unrolled("c.send(None)", c=channel))


def pipe():
    channel = stackless.channel()

    def producer():
        channel.send_sequence(range(COUNT))
        channel.send_exception(StopIteration)

    def consumer():
        for _ in channel:
            pass

    return run_both(consumer, producer)


def schedule():
    """One schedule() with two tasklets that do nothing else."""
    loop = unrolled("schedule()", schedule=stackless.schedule)
    return run_both(loop, loop) / 2


def nothing():
    pass


def create_and_run():
    def loop():
        for _ in range(COUNT):
            stackless.tasklet(nothing)()
            stackless.run()

    return time_of(loop)


def create_many():
    def loop():
        for _ in range(COUNT):
            stackless.tasklet(nothing)()
        stackless.run()

    return time_of(loop)


def ring(size, hops):
    """Passes a token around *size* tasklets: one hop."""

    def member(mine, following):
        receive, send = mine.receive, following.send
        while True:
            send(receive())

    channels = [stackless.channel() for _ in range(size + 1)]
    members = [stackless.tasklet(member)(*ends) for ends in zip(channels, channels[1:])]
    stackless.run()

    def pass_around():
        for _ in range(hops // size):
            channels[0].send(None)
            channels[-1].receive()

    pass_around()
    nanoseconds = time_of(pass_around, hops)
    for one in members:
        one.kill()
    return nanoseconds


def between_greenlets():
    """Passes a value between greenlets: one switches to the other with it, which switches back for the next one."""
    consumer = greenlet(unrolled("switch()", switch=getcurrent().switch))
    consumer.switch()
    return time_of(unrolled("switch(None)", switch=consumer.switch))


def asyncio_queue():
    """Passes a value through an asyncio.Queue that holds one."""

    async def put(channel):
        for _ in range(COUNT):
            await channel.put(None)

    async def main():
        channel = asyncio.Queue(1)
        producer = asyncio.create_task(put(channel))
        begin = perf_counter_ns()
        for _ in range(COUNT):
            await channel.get()
        await producer
        return (perf_counter_ns() - begin) / COUNT

    return asyncio.run(main())


def thread_queue():
    """Passes a value through a queue.Queue that holds one, from thread to thread."""
    channel = queue.Queue(1)

    def put():
        for _ in range(COUNT_BETWEEN_THREADS):
            channel.put(None)

    def get():
        producer = threading.Thread(target=put)
        producer.start()
        for _ in range(COUNT_BETWEEN_THREADS):
            channel.get()
        producer.join()

    return time_of(get, COUNT_BETWEEN_THREADS)


FIGURES = {
    SWITCH: greenlet_switch,
    "`send()` and `receive()`": lambda: pair(-1),
    "the same, sender preferred": lambda: pair(1),
    "the same, nobody preferred": lambda: pair(0),
    "the same, methods looked up each time": pair_by_attribute,
    "value through `send_sequence()` and iteration": pipe,
    "`schedule()`": schedule,
    f"hop in a ring of {SMALL_RING} tasklets": lambda: ring(SMALL_RING, COUNT),
    IN_LARGE_RING: lambda: ring(LARGE_RING, LARGE_RING),
    "tasklet made, run, ended": create_and_run,
    "the same, all made before the first runs": create_many,
    "value from greenlet to greenlet by hand": between_greenlets,
    "value through `asyncio.Queue(1)`": asyncio_queue,
    "value through `queue.Queue(1)`, between threads": thread_queue,
}


def measure():
    """Return medians in nanoseconds, by the names of the figures."""
    stack_size(256 * 1024)  # for the large ring
    times = {name: [] for name in FIGURES}
    for i in range(ROUNDS):
        for name, function in FIGURES.items():
            if name != IN_LARGE_RING or i < ROUNDS_OF_LARGE_RING:
                times[name].append(function())
    return {name: statistics.median(values) for name, values in times.items()}


def as_text(by_version):
    from suite.pages import table

    heading = [""] + [cell for version in by_version for cell in (version, "switches")]
    rows = []
    for name in FIGURES:
        values = [(medians[name], medians[name] / medians[SWITCH]) for medians in by_version.values()]
        rows.append([name] + [cell for value, switches in values for cell in (f"{value:,.0f}", f"{switches:.1f}")])
    return table(heading, rows)


def main():
    match sys.argv[1:]:
        case ["--page"]:
            from suite.pages import measure_everywhere, replace_figures

            text = as_text(measure_everywhere(__file__))
            replace_figures("stackless.md", "benchmarks/stackless.py --page", text)
            print(text)
        case ["--json"]:
            print(json.dumps(measure()))
        case []:
            print(as_text({f"{sys.version_info.major}.{sys.version_info.minor}": measure()}))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
