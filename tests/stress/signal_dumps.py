"""Greenlets are dumped by a signal at random moments, while they switch, start, end, yield and are collected.

usage: signal_dumps.py [SIGNALS [SECONDS]]      default: 10,000 signals, however long they take

A child process does the work and gets the signals from this one. Each dump must be whole: it begins with its heading,
and each line is one of those that a dump has.
"""

import gc
import math
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

LINE = re.compile(
    r"""Greenlets\ of\ process\ \d+\ on\ signal\ \d+,\ most\ recent\ call\ first:
    |
    |Thread\ 0x[0-9a-f]{16}(\ \(\d+\))?,\ active\ greenlets:\ \d+,\ switches:\ \d+(,\ got\ the\ signal|,\ has\ ended)?
    |\ \ <[\w.]+\ 0x[0-9a-f]+>(\ [\w.<>]+)?(,\ current)?(,\ ran\ while\ it\ was\ read)?
        (:\ the\ same\ stack|:\ ran\ and\ was\ suspended\ while\ it\ was\ read)?
    |\ \ \ \ File\ "[^"]+",\ line\ \d+\ in\ [\w.<>]+
    |\ \ \ \ and\ \d+\ more
    |\ \ \(some\ greenlets\ are\ missing:\ they\ started\ or\ ended\ meanwhile\)""",
    re.VERBOSE,
)


def child(path):
    from greenlet import getcurrent, greenlet
    from greenlet.generators import generator, yield_
    from greenlet.inspect import dump_on_signal

    file = open(path, "ab", buffering=0)
    dump_on_signal(signal.SIGUSR1, file)

    def nested(depth, value):
        if depth:
            return nested(depth - 1, value)
        return getcurrent().parent.switch(value)

    def work(depth):
        for value in range(20):
            nested(depth, value)

    @generator
    def values(count):
        for value in range(count):
            yield_(value)

    def turns(seed):
        chance = random.Random(seed)
        kept = []
        while True:
            g = greenlet(work)
            g.switch(chance.randrange(8))
            kept.append(g)
            for one in kept:
                one.switch()
            kept = [one for one in kept if one and chance.random() < 0.9]
            assert list(values(5)) == [0, 1, 2, 3, 4]
            if chance.random() < 0.02:
                gc.collect(0)

    for seed in (1, 2):
        threading.Thread(target=turns, args=(seed,), daemon=True).start()
    print("ready", flush=True)
    turns(3)


def main():
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    end = time.monotonic() + float(sys.argv[2]) if len(sys.argv) > 2 else math.inf
    chance = random.Random(4)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "dumps")
        command = [sys.executable, "-X", "faulthandler", __file__, "child", path]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as target:
            target.stdout.readline()
            dumps = size = sent = 0
            is_last = False
            while not is_last:
                os.kill(target.pid, signal.SIGUSR1)
                time.sleep(chance.random() * 0.002)
                sent += 1
                is_last = sent == number or time.monotonic() >= end
                if sent % 500 == 0 or is_last:
                    time.sleep(0.2)
                    with open(path, "r+b") as file:
                        found = file.read().decode()
                        file.truncate(0)
                    size += len(found)
                    dumps += found.count("Greenlets of process")
                    wrong = [line for line in found.split("\n") if not LINE.fullmatch(line)]
                    if wrong or target.poll() is not None:
                        print(f"signal_dumps: after {sent} signals {wrong[:3]}, {target.poll()}")
                        target.kill()
                        return 1
            target.kill()
    print(f"signal_dumps: {sent} signals, {dumps} dumps, {size >> 10} KiB of text")
    return 0 if dumps else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2])
    else:
        sys.exit(main())
