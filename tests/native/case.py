"""Defines a case of real native code, and lists all cases.

A case is a function that uses one library and returns a value that JSON can represent. It imports the library itself,
so that an interpreter without any of them can read the list.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Same = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Library:
    """The subject of a case: a package from PyPI, a package of Debian, or CPython itself."""

    name: str
    requirements: tuple[str, ...] = ()  # requirements for pip, as wheels
    needs: tuple[str, ...] = ()  # commands and shared libraries of the system


def pypi(name: str, *more: str, needs: tuple[str, ...] = ()) -> Library:
    """The library *name* from PyPI, used together with *more* requirements."""
    return Library(name.partition("[")[0], (name, *more), needs)


CPYTHON = Library("CPython")


def equal(plainly: Any, elsewhere: Any) -> bool:
    return plainly == elsewhere


def close(plainly: list[float], elsewhere: list[float]) -> bool:
    """Whether two lists of numbers agree, except for rounding."""
    return len(plainly) == len(elsewhere) and all(
        math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-7) for a, b in zip(plainly, elsewhere)
    )


def as_deep(plainly: int | list[int], elsewhere: int | list[int]) -> bool:
    """Whether the depth reached elsewhere, or each of several, is at least 95 % of the depth reached plainly."""
    if isinstance(plainly, list):
        return len(plainly) == len(elsewhere) and all(map(as_deep, plainly, elsewhere))
    return elsewhere >= 0.95 * plainly


def in_greenlet(function: Callable[[], Any]) -> Any:
    from greenlet import greenlet

    return greenlet(function).switch()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One function that is called plainly, and in greenlets."""

    library: Library
    function: Callable
    same: Same  # compares the results
    inside: Callable  # calls a function in a greenlet, and returns its result
    prepare: Callable | None  # runs first in the thread itself; its result is the function's argument
    on_thread_stack: str  # why the case may use greenlet.on_thread_stack(), or empty
    since: tuple[int, int]  # the first version of CPython that supports the case
    limit: float  # seconds for one call
    fast: bool  # part of the subset for continuous integration

    @property
    def name(self) -> str:
        return f"{self.library.name}.{self.function.__name__}"

    @property
    def module(self) -> str:
        return self.function.__module__

    @property
    def summary(self) -> str:
        return inspect.getdoc(self.function).splitlines()[0]


CASES: list[Case] = []


def case(
    library: Library,
    *,
    same: Same = equal,
    inside: Callable = in_greenlet,
    prepare: Callable | None = None,
    on_thread_stack: str = "",
    since: tuple[int, int] = (3, 11),
    limit: float = 60,
    fast: bool = False,
):
    """Register the decorated function as a case of *library*. The other arguments are the fields of Case."""

    def register(function: Callable) -> Callable:
        CASES.append(
            Case(
                library=library,
                function=function,
                same=same,
                inside=inside,
                prepare=prepare,
                on_thread_stack=on_thread_stack,
                since=since,
                limit=limit,
                fast=fast,
            )
        )
        return function

    return register
