"""A process whose greenlets switch without pause is read from another one. Each stack that counts as right must be one
that the greenlet can have: each has its own functions, and calls them in two orders at two depths.

usage: outside.py [SECONDS [READS]]       default: 60 seconds; ends when both are reached

A child process switches. Now and then it stops to compute, so that stacks stand still for microseconds, and sometimes
it is stopped by a signal, at any instruction.
"""

import collections
import os
import random
import signal
import subprocess
import sys
import time

GREENLETS = 6
READINGS = ("right", "running", "changed")

ONE = """
def leaf_{0}(): switch()
def inner_{0}():
    leaf_{0}()
    switch()
def left_{0}(): inner_{0}()
def right_{0}():
    switch()
    leaf_{0}()
def run_{0}():
    while True:
        left_{0}()
        right_{0}()
        greenlet_{0}_child = greenlet(short_{0})
        greenlet_{0}_child.switch()
def short_{0}():
    leaf_{0}()
"""


def allowed_stacks(number):
    """Return the stacks that the greenlets with this number can be suspended with: functions and lines from inside out."""
    line = 1000 * number  # each number has lines of its own

    def frames(*found):
        return tuple((f"{name}_{number}", line + at) for name, at in found)

    long = {
        frames(("leaf", 2), ("inner", 4), ("left", 6), ("run", 12)),
        frames(("inner", 5), ("left", 6), ("run", 12)),
        frames(("right", 8), ("run", 13)),
        frames(("leaf", 2), ("right", 9), ("run", 13)),
        frames(("run", 14)),  # the short one before is killed
        frames(("run", 15)),
    }
    return {f"run_{number}": long, f"short_{number}": {frames(("leaf", 2), ("short", 17))}}


def child():
    from greenlet import getcurrent, greenlet

    main = getcurrent()
    names = {"greenlet": greenlet}
    runs = []
    chosen = random.Random(1).choices(range(GREENLETS), k=4096)
    step = 0

    def switch():
        nonlocal step
        step += 1
        if step % 64 == 0:
            for _ in range(chosen[step % 4096] * 200):
                pass
        if getcurrent().parent is not main:  # a short one
            getcurrent().parent.switch()
            return
        runs[chosen[step % 4096]].switch()

    for number in range(GREENLETS):
        namespace = {**names, "switch": switch}
        source = "\n" * (1000 * number) + ONE.format(number)
        exec(compile(source, f"greenlet_{number}.py", "exec"), namespace)
        runs.append(greenlet(namespace[f"run_{number}"]))
    print("ready", flush=True)
    runs[0].switch()


def check(thread, allowed, counts):
    """Count the readings of a thread's greenlets. Returns what is wrong with one of them, or None."""
    for _, _, _, _, is_current, is_main, _, reading, _, label, frames, more in thread[7]:
        counts[reading] += 1
        if is_main or is_current or reading != "right" or not label:  # without a label it has just begun
            continue
        # The innermost frames are those of switch(), which is the same for all.
        stack = tuple((name, line) for file, name, line in frames if file.startswith("greenlet_"))
        if label not in allowed or (stack and stack not in allowed[label]) or more:
            return f"{label} has the stack {frames}"
        counts["checked"] += bool(stack)
    return None


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    reads = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    from greenlet import _outside

    allowed = {label: stacks for number in range(GREENLETS) for label, stacks in allowed_stacks(number).items()}
    counts = collections.Counter()
    with subprocess.Popen([sys.executable, __file__, "child"], stdout=subprocess.PIPE) as target:
        try:
            target.stdout.readline()
            table = _outside.find_table(target.pid, _outside.mapped_ranges(target.pid), "the child")
            end = time.monotonic() + seconds
            chance = random.Random(2)
            is_stopped = False
            while time.monotonic() < end or sum(counts[r] for r in READINGS) < reads:
                if chance.random() < 0.1:
                    is_stopped = not is_stopped
                    os.kill(target.pid, signal.SIGSTOP if is_stopped else signal.SIGCONT)
                counts["walks"] += 1
                for thread in _outside._outside.walk(target.pid, table):
                    wrong = check(thread, allowed, counts)
                    if wrong is not None:
                        print(f"outside: after {counts.total()} readings {wrong}")
                        return 1
                if target.poll() is not None:
                    print("outside: the child has ended")
                    return 1
        finally:
            target.kill()
    print(
        f"outside: {counts['walks']} walks, {sum(counts[r] for r in READINGS)} readings: "
        f"{counts['right']} right ({counts['checked']} checked), {counts['running']} of running greenlets, "
        f"{counts['changed']} of changed ones"
    )
    return 0 if counts["checked"] else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["child"]:
        child()
    else:
        sys.exit(main())
