"""The process of a case: calls its function in one way, and records the outcome.

usage: PYTHON child.py CASE WAY JOURNAL
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import journal
from case import CASES, Case

HERE = Path(__file__).resolve().parent


def load_cases() -> list[Case]:
    """Return all cases, in the order of their files' names."""
    if not CASES:
        for path in sorted((HERE / "cases").glob("*.py")):
            importlib.import_module(f"cases.{path.stem}")
    return CASES


def call(case: Case, way: str, function: Callable[[], Any]) -> Any:
    if way == "plainly":
        return function()
    if way == "on_thread_stack":
        from greenlet import on_thread_stack

        return case.inside(lambda: on_thread_stack(function))
    return case.inside(function)


def is_available(way: str) -> bool:
    if way != "on_thread_stack":
        return True
    import greenlet

    return hasattr(greenlet, "on_thread_stack")


def main(name: str, way: str, path: str) -> None:
    case = next(case for case in load_cases() if case.name == name)
    journal.path = Path(path)
    if not is_available(way):
        return journal.write(unavailable="not available")
    try:
        arguments = [case.prepare()] if case.prepare else []
        journal.write(result=call(case, way, lambda: case.function(*arguments)))
    except BaseException as error:
        journal.write(raised=type(error).__name__, text=str(error)[:500])
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
