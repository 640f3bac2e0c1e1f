"""Worker processes of each start method, started in a greenlet while greenlets are suspended."""

import multiprocessing
import os
import subprocess
import sys

import pytest

PROGRAM = """
import multiprocessing
import sys
import warnings

from greenlet import getcurrent, greenlet

warnings.simplefilter("ignore")


def parrot(value):
    while True:
        value = getcurrent().parent.switch(value)


def work(number):
    g = greenlet(parrot)
    g.switch(0)
    return sum(g.switch(i) for i in range(number))


def main(method):
    kept = [greenlet(parrot) for _ in range(10)]
    for g in kept:
        g.switch(1)
    context = multiprocessing.get_context(method)

    def run():
        with context.Pool(2) as pool:
            getcurrent().parent.switch("pool")
            return pool.map(work, range(5))

    g = greenlet(run)
    assert g.switch() == "pool"
    assert [k.switch(2) for k in kept] == [2] * 10
    print(g.switch())


if __name__ == "__main__":
    main(sys.argv[1])
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_pool_works_in_a_greenlet(method, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(script), method],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        env=dict(os.environ),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 0, 1, 3, 6]\n", "")
