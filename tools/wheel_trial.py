"""A trial of an installed wheel, run by the interpreter of an environment that has nothing else.

usage: PYTHON tools/wheel_trial.py [PLATFORM]

PLATFORM is the tag that the wheel has to have, such as manylinux_2_17_x86_64. Exits with a message if something is
wrong. `python -m tools wheels` and cibuildwheel run it.
"""

import contextlib
import gc
import importlib.metadata
import io
import re
import runpy
import shutil
import sys
import threading
import weakref
from pathlib import Path

import greenlet

README = Path(__file__).resolve().parent.parent / "README.md"


def expect(found, wanted) -> None:
    if found != wanted:
        sys.exit(f"{found!r} instead of {wanted!r}")


def check_installation(platform: str | None) -> None:
    distribution = importlib.metadata.distribution("greenlet")
    expect(distribution.version, greenlet.__version__)
    expect(Path(greenlet.__file__).samefile(distribution.locate_file("greenlet/__init__.py")), True)
    if platform is not None:
        tags = re.findall(r"^Tag: .*-(\S+)$", distribution.read_text("WHEEL"), re.MULTILINE)
        expect(platform in tags, True)
        expect([name for name in ("cc", "gcc", "c++", "g++", "clang", "cmake") if shutil.which(name)], [])


def check_module_command() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.suppress(SystemExit):
        sys.argv[1:] = []
        runpy.run_module("greenlet", run_name="__main__")
    print(output.getvalue())
    expect("each greenlet has its own stack" in output.getvalue(), True)


def check_readme() -> None:
    found = re.search(r"```python\n(from greenlet .*?)```.*?```text\n(.*?)```", README.read_text(), re.DOTALL)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(found[1], {})
    expect(output.getvalue(), found[2])


def check_deep_switches() -> None:
    def run(depth: int) -> None:
        if depth:
            run(depth - 1)
        else:
            for number in range(1000):
                expect(main.switch(number), number)

    main = greenlet.getcurrent()
    one = greenlet.greenlet(run)
    value = one.switch(100)
    while not one.dead:
        value = one.switch(value)


def check_exceptions() -> None:
    def run() -> None:
        try:
            main.switch()
        finally:
            ended.append(True)

    main, ended = greenlet.getcurrent(), []
    thrown = greenlet.greenlet(run)
    thrown.switch()
    try:
        thrown.throw(KeyError("thrown"))
    except KeyError as error:
        expect(error.args, ("thrown",))
    cycle = greenlet.greenlet(run)
    cycle.itself = cycle
    cycle.switch()
    reference = weakref.ref(cycle)
    del cycle, thrown
    gc.collect()
    expect((reference(), ended), (None, [True, True]))


def check_threads() -> None:
    def run() -> None:
        main = greenlet.getcurrent()
        for number in range(100):
            results.append(greenlet.greenlet(lambda value: main.switch(value + 1)).switch(number) == number + 1)

    results: list[bool] = []
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(results, [True] * 400)


if __name__ == "__main__":
    check_installation(sys.argv[1] if sys.argv[1:] else None)
    check_module_command()
    check_readme()
    check_deep_switches()
    check_exceptions()
    check_threads()
    print(f"greenlet {greenlet.__version__} works on {sys.version.split()[0]}{sys.abiflags}")
