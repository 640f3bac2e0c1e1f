"""A program with greenlets under memray: it has the same results, and its allocations are attributed to its functions.

usage: memory_profile.py
"""

import json
import subprocess
import sys
from pathlib import Path

from session import check, figure

PROGRAM = """
from greenlet import getcurrent, greenlet

def hold(size):
    held = bytearray(size)
    return len(held) + getcurrent().parent.switch(size)

greenlets = [greenlet(hold) for _ in range(100)]
assert [g.switch(100_000) for g in greenlets] == [100_000] * 100
assert [g.switch(n) for n, g in enumerate(greenlets)] == [100_000 + n for n in range(100)]
print("done")
"""
ALLOCATED = 100 * 100_000


def memray(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "memray", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done
    return done.stdout


def main() -> None:
    program, records, statistics = map(Path, ("program.py", "records.bin", "statistics.json"))
    program.write_text(PROGRAM)
    with check("the program runs"):
        assert "done" in memray("run", "--output", records, program)
    with check("a package is run as a module"):
        memray("run", "--output", "module.bin", "-m", "this")
    with check("statistics are made"):
        memray("stats", "--json", "--output", statistics, "--num-largest", 5, records)
        found = json.loads(statistics.read_text())
        peak = found["metadata"]["peak_memory"]
        largest = {entry["location"].split(":")[0]: entry["size"] for entry in found["top_allocations_by_size"]}
        figure("peak memory, MB", round(peak / 1e6, 1))
        assert ALLOCATED <= largest.get("hold", 0) < ALLOCATED * 1.2, largest
        assert ALLOCATED <= peak < 3 * ALLOCATED, peak


if __name__ == "__main__":
    main()
