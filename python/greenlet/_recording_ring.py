"""The ring that a recording writes, and the trace-event file made from it."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple, TextIO

HEADER = struct.Struct("=16sII6Q4q")
RECORD = struct.Struct("=qIIIHHHHI")
NAME = struct.Struct("=H")
MAGIC = b"greenlet switch\0"
VERSION = 1

THROW, STARTS, FINISHED, THREAD_BEGINS, THREAD_ENDS = 1, 2, 4, 8, 16


class Record(NamedTuple):
    """A switch. Greenlets and threads are numbers; times are in nanoseconds, by the monotonic clock."""

    time: int
    origin: int
    target: int
    thread: int
    origin_name: int
    target_name: int
    thread_name: int
    flags: int
    unused: int


class Ring(NamedTuple):
    """What a ring contains. Times as in Record."""

    process: int
    begin: int
    date: int  # nanoseconds since 1970, at the begin
    end: int
    ended: bool  # False: the process ended first
    switches: int  # that were recorded
    lost: int  # of these, those that were overwritten
    names: list[str]
    records: bytes  # the oldest first

    def __iter__(self) -> Iterator[Record]:  # type: ignore[override]
        return map(Record._make, RECORD.iter_unpack(self.records))


def read_names(data: bytes) -> list[str]:
    names, place = [""], 0
    while place < len(data):
        (length,) = NAME.unpack_from(data, place)
        place += NAME.size + length
        names.append(data[place - length : place].decode("utf-8", "replace"))
    return names


def read_ring(path: str | os.PathLike[str]) -> Ring:
    """Read a ring.

    Raises:
        OSError: it can't be read.
        ValueError: it is no ring, or one of another version of this package.
    """
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < HEADER.size or not data.startswith(MAGIC):
        raise ValueError(f"{os.fspath(path)} is not a ring of a recording")
    fields = HEADER.unpack_from(data)
    _, version, record_bytes, names_begin, names_bytes, begin, capacity, written, switches, process, *times = fields
    start, date, end = times
    if (version, record_bytes) != (VERSION, RECORD.size):
        raise ValueError(f"{os.fspath(path)} was written by another version of greenlet")
    if begin + capacity * record_bytes > len(data):
        raise ValueError(f"{os.fspath(path)} is incomplete")
    kept = min(written, capacity)
    oldest = begin + (written % capacity if written > capacity else 0) * record_bytes
    records = data[oldest : begin + kept * record_bytes] + data[begin:oldest]
    last = RECORD.unpack_from(records, len(records) - record_bytes)[0] if records else start
    names = read_names(data[names_begin : names_begin + names_bytes])
    kept_switches = sum(not record[7] & (THREAD_BEGINS | THREAD_ENDS) for record in RECORD.iter_unpack(records))
    return Ring(process, start, date, end or last, end != 0, switches, switches - kept_switches, names, records)


class _Slice:
    """A time in which a greenlet runs: since when, and the number of the arrow that leads there, or None."""

    __slots__ = ("number", "since", "flow", "flags")

    def __init__(self, number: int, since: int, flow: int | None, flags: int) -> None:
        self.number, self.since, self.flow, self.flags = number, since, flow, flags


class _Writer:
    """Writes the events of a ring that are not older than *cut*, in nanoseconds since the begin."""

    def __init__(self, ring: Ring, file: TextIO, cut: int) -> None:
        self.ring, self.file, self.cut = ring, file, cut
        self.flows = 0
        self.running: dict[int, _Slice] = {}  # by thread
        self.names: dict[int, tuple[int, int]] = {}  # of greenlets: the name and the thread
        self.threads: dict[int, int] = {}  # their names
        self.labels: dict[int, str] = {}  # of greenlets, in JSON
        self.begin = f'{{"pid":{ring.process},"tid":'
        self.separator = "\n"

    def event(self, text: str) -> None:
        self.file.write(f"{self.separator}{text}")
        self.separator = ",\n"

    def label(self, number: int) -> str:
        label = self.labels.get(number)
        if label is None:
            label = self.labels[number] = json.dumps(self.plain_label(number))
        return label

    def plain_label(self, number: int) -> str:
        name = self.names[number][0]
        return f"{self.ring.names[name] or ('main greenlet' if name else 'unnamed greenlet')} #{number}"

    def meet(self, number: int, name: int, thread: int) -> None:
        if number not in self.names:
            self.names[number] = (name, thread)

    def close(self, slice: _Slice, time: int, finished: bool = False) -> None:
        """Write the slice that ends, and the arrow that leads to its begin."""
        since = max(slice.since, self.cut)
        if time < since or (time == since and slice.flow is None):
            return
        facts = {"started": slice.flags & STARTS, "thrown_into": slice.flags & THROW, "finished": finished}
        told = ",".join(f'"{name}":true' for name, is_so in facts.items() if is_so)
        arguments = f',"args":{{{told}}}' if told else ""
        self.event(
            f'{self.begin}{slice.number},"ph":"X","cat":"greenlet","name":{self.label(slice.number)},'
            f'"ts":{_time(since)},"dur":{_time(time - since)}{arguments}}}'
        )
        if slice.flow is not None:
            self.arrow("f", slice.number, slice.since, slice.flow, slice.flags, ',"bp":"e"')

    def arrow(self, phase: str, number: int, time: int, flow: int, flags: int, more: str = "") -> None:
        name = "throw" if flags & THROW else "switch"
        self.event(
            f'{self.begin}{number},"ph":"{phase}","cat":"switch","name":"{name}","id":{flow},"ts":{_time(time)}{more}}}'
        )

    def write(self, record: Record, first_time: int) -> None:
        """Write what a record ends. *first_time*: since when a greenlet has run whose begin is not known."""
        time, thread, flags = record.time - self.ring.begin, record.thread, record.flags
        if not flags & THREAD_BEGINS:
            self.meet(record.origin, record.origin_name, thread)
        if not flags & THREAD_ENDS:
            self.meet(record.target, record.target_name, thread)
        if record.thread_name or thread not in self.threads:
            self.threads[thread] = record.thread_name
        if flags & THREAD_BEGINS:
            self.running[thread] = _Slice(record.target, time, None, 0)
            return
        running = self.running.get(thread)
        if running is None or running.number != record.origin:
            running = _Slice(record.origin, first_time, None, 0)
        if record.origin == record.target:
            if time >= self.cut:
                self.event(
                    f'{self.begin}{record.origin},"ph":"i","s":"t","cat":"switch",'
                    f'"name":"{"throw" if flags & THROW else "switch"} to itself","ts":{_time(time)}}}'
                )
            self.running[thread] = running
            return
        self.close(running, time, bool(flags & FINISHED))
        if flags & THREAD_ENDS:
            self.running.pop(thread, None)
            return
        flow = None
        since = max(running.since, self.cut)
        if time > since or (time == since and running.flow is not None):
            self.flows += 1
            flow = self.flows
            # Just before the end, so that viewers find the slice that it belongs to.
            self.arrow("s", record.origin, max(time - 1, since), flow, flags)
        self.running[thread] = _Slice(record.target, time, flow, flags)

    def write_names(self) -> None:
        names = self.ring.names
        several = len({thread for _, thread in self.names.values()}) > 1
        process = f"process {self.ring.process}"
        self.metadata(0, "process_name", {"name": process})
        lost = f", the {self.ring.lost:,} oldest lost" if self.ring.lost else ""
        self.metadata(0, "process_labels", {"labels": f"{self.ring.switches:,} switches{lost}"})
        for number, (_, thread) in self.names.items():
            label = self.plain_label(number)
            if several:
                label += f" ({names[self.threads[thread]] or f'thread {thread}'})"
            self.metadata(number, "thread_name", {"name": label})
            self.metadata(number, "thread_sort_index", {"sort_index": number})

    def metadata(self, number: int, name: str, arguments: dict[str, object]) -> None:
        self.event(f'{self.begin}{number},"ph":"M","name":"{name}","args":{json.dumps(arguments)}}}')


def _time(nanoseconds: int) -> str:
    """Return a time as the format has it, in microseconds."""
    return f"{nanoseconds // 1000}.{nanoseconds % 1000:03}"


def write_trace(ring: Ring, file: TextIO, seconds: float | None = None) -> None:
    """Write a ring as trace events, in JSON; only its last seconds if that is not None."""
    end = ring.end - ring.begin
    cut = 0 if seconds is None or seconds * 1e9 >= end else end - int(seconds * 1e9)
    file.write('{"displayTimeUnit":"ns","traceEvents":[')
    writer = _Writer(ring, file, cut)
    first_time = None
    for record in ring:
        if first_time is None:
            first_time = record.time - ring.begin if ring.lost else 0
        writer.write(record, first_time)
    for slice in writer.running.values():
        writer.close(slice, end)
    writer.write_names()
    facts = {
        "program": "greenlet.inspect.record",
        "switches": ring.switches,
        "lost": ring.lost,
        "seconds": round((end - max(cut, first_time or 0)) / 1e9, 9),
        "begin": ring.date / 1e9,
        "complete": ring.ended,
    }
    file.write(f'\n],"otherData":{json.dumps(facts)}}}\n')


def recover(ring: str | os.PathLike[str], path: str | os.PathLike[str], *, seconds: float | None = None) -> None:
    """Make a trace-event file of the ring that a process left because it crashed or was killed.

    Parameters:
        ring: the path of the ring, which stays. It lies beside the file that ``record()`` was to write, and ends with
            ``.ring``.
        path: of the file to write.
        seconds: write only the last seconds before the last switch. None for all.
    Raises:
        ValueError: the file is no ring, or the number of seconds is not positive.
        OSError: a file can't be read or written.
    """
    if seconds is not None and not seconds > 0:
        raise ValueError("seconds must be positive")
    content = read_ring(ring)
    with open(path, "w", encoding="ascii", newline="\n") as file:
        write_trace(content, file, seconds)
