from collections.abc import Callable, Iterable
from threading import Thread
from traceback import StackSummary
from typing import NamedTuple, Protocol

from typing import Self

from . import greenlet
from ._recording import Recording as Recording, record as record
from ._recording_page import page as page
from ._recording_ring import recover as recover

__all__ = [
    "TRACEMALLOC_DOMAIN",
    "WAITS",
    "Block",
    "Recording",
    "Statistics",
    "ThreadStatistics",
    "Watch",
    "dump",
    "dump_on_signal",
    "greenlets",
    "page",
    "record",
    "recover",
    "stack",
    "stats",
    "stop_dumping_on_signal",
    "tree",
    "watch",
]

TRACEMALLOC_DOMAIN: int

class _File(Protocol):
    def fileno(self) -> int: ...
    def flush(self) -> object: ...

class _Writable(Protocol):
    def write(self, text: str, /) -> object: ...

class ThreadStatistics(NamedTuple):
    name: str | None
    ident: int
    active: int
    started: int
    finished: int
    switches: int
    free_stacks: int

class Statistics(NamedTuple):
    threads: tuple[ThreadStatistics, ...]
    active: int
    started: int
    finished: int
    switches: int
    stacks: int
    stacks_in_use: int
    reserved: int
    resident: int
    page_tables: int
    deepest: int

def greenlets(thread: Thread | int | None = None) -> list[greenlet]: ...
def stack(g: greenlet, /) -> StackSummary: ...
def tree(file: _Writable | None = None) -> None: ...
def dump(
    file: _Writable | None = None, *, group: bool = True, limit: int | None = None, native: bool = False
) -> None: ...
def stats() -> Statistics: ...

WAITS: tuple[str, ...]

class Block(NamedTuple):
    greenlet: greenlet | None
    thread: int
    seconds: float
    stack: StackSummary
    has_moved_on: bool

class Watch:
    found: int
    def __init__(self, max_block: float, on_block: Callable[[Block], object] | None, waits: Iterable[str]) -> None: ...
    def stop(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

def watch(
    max_block: float = 0.1, on_block: Callable[[Block], object] | None = None, *, waits: Iterable[str] = ()
) -> Watch: ...
def dump_on_signal(signum: int = ..., file: _File | int | None = None, *, chain: bool = False) -> None: ...
def stop_dumping_on_signal(signum: int = ...) -> bool: ...
