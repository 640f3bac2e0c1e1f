"""Shows the greenlets of another process, or of a core file: ``python -m greenlet ps``, ``pstree`` and ``dump``.

Where its fields are the target says itself, in a table of offsets. The table lies in the memory into which the target
has mapped the extension module. Pointers in it have 64 bits.
"""

import collections
import contextlib
import dataclasses
import os
import platform
import signal
import struct
import sys

from . import _greenlet
from ._core_file import CoreFile, NotACoreFile
from ._text import count

_outside = _greenlet.outside
MAGIC = b"greenletOffsets\0"
# The magic word, size, version, CPython's version, the build, and the table's own address.
HEAD = struct.Struct("=16s4IQ")
DEBUG_BUILD, FREE_THREADED = 1, 2
HAS_POINTERS_AS_IN_THE_TABLE = struct.calcsize("P") == 8
# Windows has no signals that another process could send.
INSTEAD = f"call greenlet.inspect.{'dump_on_signal' if hasattr(signal, 'SIGUSR1') else 'dump'}() in that process"


class Failure(Exception):
    """What is in the way, and what to do about it."""


@dataclasses.dataclass
class Greenlet:
    address: int
    parent: int
    resumer: int
    stack_pointer: int
    is_current: bool
    is_main: bool
    is_body: bool
    reading: str
    type_name: str
    label: str
    frames: tuple
    more: int

    @property
    def state(self):
        if self.reading == "changed":
            return "switching"
        return "suspended" if not self.is_current else "current" if self.reading == "right" else "running"

    @property
    def name(self):
        return "main" if self.is_main else self.label or self.type_name


@dataclasses.dataclass
class Thread:
    address: int
    identity: int
    native_id: int
    switches: int
    started: int
    ended: int
    has_ended: bool
    greenlets: list
    missing: list

    @property
    def name(self):
        number = f"{self.native_id} " if self.native_id else ""
        return f"thread {number}(0x{self.identity:x})" + (", which has ended" if self.has_ended else "")


def read_threads(source, table):
    """Return what a process, given by its number, or a list of segments has. `table`: the address of the table."""
    threads = []
    for *facts, greenlets, missing in _outside.walk(source, table):
        known = {}
        for values in greenlets:  # one that has started anew meanwhile may have been met twice
            known.setdefault(values[0], Greenlet(*values))
        threads.append(Thread(*facts, list(known.values()), missing))
    return sorted(threads, key=lambda thread: (thread.native_id, thread.identity))


# --- finding the table ------------------------------------------------------------------------------------------------


def find_table(source, ranges, what):
    """Return the address of the table in one of the ranges of memory, given as (begin, end)."""
    if not HAS_POINTERS_AS_IN_THE_TABLE:
        raise Failure(f"{what} can't be read from outside, because addresses have 32 bits here: {INSTEAD}")
    found = []
    for begin, end in ranges:
        memory = _outside.read(source, begin, end - begin)
        place = memory.find(MAGIC) if memory else -1
        while place >= 0:
            head = HEAD.unpack_from(memory.ljust(place + HEAD.size, b"\0"), place)
            if head[5] == begin + place:
                found.append(head)
            place = memory.find(MAGIC, place + 1)
    if not found:
        raise Failure(
            f"{what} uses another package called greenlet, such as PyPI's, or an older version of this one: "
            "its greenlets can't be read from outside"
        )
    for head in found:
        if not difference(head):
            return head[5]
    raise Failure(f"{what} {difference(found[0])}")


def difference(head):
    """Say what differs between a table and ours in a way that matters; '' if nothing does."""
    _, size, version, python, build, _ = head
    _, own_size, own_version, own_python, own_build, _ = HEAD.unpack_from(_outside.table()[1])
    if (size, version) != (own_size, own_version):
        return (
            f"has a table of offsets of version {version}, and this package reads version {own_version}: "
            "use the greenlet that is installed for it"
        )
    are_releases = python & own_python & 0xF0 == 0xF0
    if (python >> 16 != own_python >> 16) if are_releases else python != own_python:
        name = f"{python >> 24}.{python >> 16 & 255}"
        return (
            f"runs CPython {name}.{python >> 8 & 255}, and this is CPython {sys.version.split()[0]}: "
            f"use a python{name} that has this package"
        )
    for bit, kind in ((DEBUG_BUILD, "a debug build"), (FREE_THREADED, "a free-threaded build")):
        if (build ^ own_build) & bit:
            return f"runs {kind if build & bit else f'no {kind[2:]}'} of CPython: use the same build to read it"
    return ""


def mapped_ranges(process):
    """Return the ranges of memory into which a process has mapped extension modules with our name."""
    try:
        with open(f"/proc/{process}/maps") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        raise Failure(f"there is no process {process}") from None
    except PermissionError:
        raise Failure(not_permitted(process)) from None
    if not lines:
        raise Failure(f"process {process} has no memory: it has ended, or belongs to the system")
    ranges = []
    for line in lines:
        addresses, permissions, _, _, _, *name = line.split(maxsplit=5)
        if name and "_greenlet" in os.path.basename(name[0]) and permissions.startswith("r"):
            begin, end = (int(number, 16) for number in addresses.split("-"))
            ranges.append((begin, end))
    return ranges


def not_permitted(process):
    advice = "run this as the user of that process, or as root"
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as file:
            scope = int(file.read())
    except (OSError, ValueError):
        scope = 0
    if scope:
        advice += (
            f"; here /proc/sys/kernel/yama/ptrace_scope is {scope}, so only root (or a process with CAP_SYS_PTRACE) "
            "may read the memory of others"
        )
    return f"reading the memory of process {process} is not permitted: {advice}"


def threads_of_process(process):
    """Return the threads of a process that have greenlets. Raises Failure."""
    if not _outside.READS_OTHER_PROCESSES:
        raise Failure(f"the memory of another process can't be read on {platform.system()}: {INSTEAD}")
    ranges = mapped_ranges(process)
    if not ranges:
        raise Failure(f"there are no greenlets in process {process}: it has not imported greenlet")
    if _outside.read(process, ranges[0][0], 1) is None:
        raise Failure(not_permitted(process))
    return read_threads(process, find_table(process, ranges, f"process {process}"))


def threads_of_core(core, executable=None):
    """Return the threads in a core file that have greenlets. Raises Failure."""
    with contextlib.ExitStack() as opened:
        try:
            file = CoreFile(core, executable, opened)
        except NotACoreFile as error:
            raise Failure(f"{core} is not a core file that can be read: {error}") from None
        except OSError as error:
            raise Failure(f"{error.filename}: {error.strerror}") from None
        ranges = file.ranges_of("_greenlet")
        if not ranges:
            raise Failure(f"there are no greenlets in {core}: the process has not imported greenlet")
        return read_threads(file.segments, find_table(file.segments, ranges, core))


# --- showing ----------------------------------------------------------------------------------------------------------


def heading(thread):
    line = f"{thread.name}: {count(len(thread.greenlets), 'greenlet')}, {count(thread.switches, 'switch', 'es')}"
    if thread.missing:
        line += "; some are missing: they started or ended meanwhile, or their memory is not in the core file"
    return line[0].upper() + line[1:]


def place(greenlet):
    if not greenlet.frames:
        return ""
    file, function, line = greenlet.frames[0]
    return f"{function} ({file}:{line})"


def show_list(threads, options):
    """Print a line for each greenlet."""
    for thread in threads:
        print(heading(thread))
        names = [greenlet.name for greenlet in thread.greenlets]
        width = min(40, max(map(len, names), default=0))
        for greenlet, name in zip(thread.greenlets, names):
            print(f"  0x{greenlet.address:x}  {greenlet.state:9}  {name:{width}}  {place(greenlet)}".rstrip())


def show_tree(threads, options):
    """Print the greenlets of each thread below their parents."""
    for thread in threads:
        print(heading(thread))
        by_address = {greenlet.address: greenlet for greenlet in thread.greenlets}
        children = collections.defaultdict(list)
        for greenlet in thread.greenlets:
            above = greenlet.resumer or greenlet.parent
            children[above if above in by_address else 0].append(greenlet)
        shown = set()
        to_show = [(greenlet, 1) for greenlet in reversed(children[0])]
        while to_show:
            greenlet, depth = to_show.pop()
            if greenlet.address in shown:
                continue
            shown.add(greenlet.address)
            print(f"{'  ' * depth}{greenlet.name} 0x{greenlet.address:x} {greenlet.state}  {place(greenlet)}".rstrip())
            to_show += [(child, depth + 1) for child in reversed(children[greenlet.address])]


def show_stacks(threads, options):
    """Print the stacks of each thread, equal ones once: the running greenlet's, then the most frequent ones."""
    for number, thread in enumerate(threads):
        print(("\n" if number else "") + heading(thread) + ", most recent call first")
        groups = collections.defaultdict(list)
        for greenlet in thread.greenlets:
            groups[greenlet.frames, greenlet.more, greenlet.state].append(greenlet)
        ordered = sorted(groups.items(), key=lambda item: (not item[1][0].is_current, -len(item[1])))
        for (frames, more, state), alike in ordered[: options.limit]:
            show_group(frames, more, state, alike)
        if options.limit is not None and len(ordered) > options.limit:
            left_out = sum(len(alike) for _, alike in ordered[options.limit :])
            print(f"\n  and {count(left_out, 'greenlet')} with {count(len(ordered) - options.limit, 'stack')} more")


NOTES = {
    "running": "running: the frames may be of different moments",
    "switching": "switching: it was suspended or resumed each time it was read",
}


def show_group(frames, more, state, alike):
    names = collections.Counter(greenlet.name for greenlet in alike)
    shown = ", ".join(name for name, _ in names.most_common(3)) + (", ..." if len(names) > 3 else "")
    one = f" 0x{alike[0].address:x}" if len(alike) == 1 else ""
    print(f"\n  {count(len(alike), 'greenlet')}{one}, {NOTES.get(state, state)}: {shown}")
    for file, function, line in frames:
        print(f'    File "{file}", line {line}, in {function}')
    if more:
        print(f"    and {count(more, 'frame')} more")


SHOW = {"ps": show_list, "pstree": show_tree, "dump": show_stacks}


def add_commands(parser):
    """Add the commands to the parser of ``python -m greenlet``."""
    commands = parser.add_subparsers(dest="command", metavar="command")
    for name, text in (
        ("ps", "list the greenlets of a process or a core file"),
        ("pstree", "show them as a tree of parents"),
        ("dump", "print their stacks, equal ones once"),
    ):
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}. The process is not stopped, and needs no preparation.",
        )
        command.add_argument("process", nargs="?", type=int, metavar="PID", help="the number of a process")
        command.add_argument("--core", metavar="FILE", help="a core file instead of a process")
        command.add_argument(
            "--exe", metavar="FILE", help="the program that left the core file, if it is not where it was"
        )
        if name == "dump":
            command.add_argument(
                "--greenlet", type=lambda text: int(text, 0), metavar="ADDRESS", help="print the stack of this one only"
            )
            command.add_argument("--limit", type=int, metavar="N", help="print N different stacks of a thread at most")


def only(threads, address):
    """Return the threads with one greenlet only."""
    for thread in threads:
        thread.greenlets = [greenlet for greenlet in thread.greenlets if greenlet.address == address]
    found = [thread for thread in threads if thread.greenlets]
    if not found:
        raise Failure(f"there is no active greenlet at {address:#x}")
    return found


def run(options, parser):
    """Do what the command says. Returns the status of the process."""
    if (options.process is None) == (options.core is None):
        parser.error(f"{options.command} needs either the number of a process or --core FILE")
    try:
        if options.core is not None:
            threads = threads_of_core(options.core, options.exe)
        else:
            threads = threads_of_process(options.process)
        if getattr(options, "greenlet", None) is not None:
            threads = only(threads, options.greenlet)
        SHOW[options.command](threads, options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Failure, OSError) as failure:
        print(f"python -m greenlet {options.command}: {failure}", file=sys.stderr)
        return 1
    return 0
