"""The memory of a process as a core file has it: an ELF file of segments, and the files that the process had mapped."""

import os
import struct

HEADER = struct.Struct("=16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("=IIQQQQQQ")
NOTE = struct.Struct("=III")
LOADED, NOTES = 1, 4  # types of segments
FILES, AUXILIARY = 0x46494C45, 6  # types of notes
ENTRY_POINT = 9  # in the auxiliary vector
CORE = 4  # a type of file


class NotACoreFile(Exception):
    pass


class CoreFile:
    """What a core file has.

    Parameters:
        path: of the core file.
        executable: path of the program that left it; None for the one that the core file names.
        opened: a contextlib.ExitStack that closes the files.

    `segments`: tuples (begin, end, file descriptor, offset) in the order of addresses.
    `files`: tuples (begin, end, offset, path) of the mapped files.
    """

    def __init__(self, path, executable, opened):
        file = opened.enter_context(open(path, "rb"))
        self.files = []
        self.entry_point = None
        loaded = []
        for kind, offset, address, size in self._headers(file):
            if kind == LOADED and size:
                loaded.append((address, address + size, file.fileno(), offset))
            elif kind == NOTES:
                file.seek(offset)
                self._read_notes(file.read(size))
        self.segments = sorted(loaded + self._from_files(sorted(loaded), executable, opened))

    def ranges_of(self, name):
        """Return (begin, end) of each range into which a file was mapped whose name contains `name`."""
        return [(begin, end) for begin, end, _, path in self.files if name in os.path.basename(path)]

    @staticmethod
    def _headers(file):
        head = file.read(HEADER.size)
        if len(head) < HEADER.size or head[:4] != b"\x7fELF":
            raise NotACoreFile("it is no ELF file")
        if head[4:6] != b"\x02\x01":
            raise NotACoreFile("only those of 64 bits, lowest byte first, are known")
        _, kind, _, _, _, table, _, _, _, entry_size, count, *_ = HEADER.unpack(head)
        if kind != CORE:
            raise NotACoreFile("it is an ELF file of another kind")
        if count == 0xFFFF:  # the number is in the first section header instead
            file.seek(HEADER.unpack(head)[6] + 44)
            (count,) = struct.unpack("=I", file.read(4))
        for i in range(count):
            file.seek(table + i * entry_size)
            found = file.read(SEGMENT.size)
            if len(found) < SEGMENT.size:
                raise NotACoreFile("it is cut off")
            kind, _, offset, address, _, size, _, _ = SEGMENT.unpack(found)
            yield kind, offset, address, size

    def _read_notes(self, notes):
        place = 0
        while place + NOTE.size <= len(notes):
            name_size, size, kind = NOTE.unpack_from(notes, place)
            begin = place + NOTE.size + (name_size + 3 & ~3)
            content = notes[begin : begin + size]
            if kind == FILES:
                self._read_files(content)
            elif kind == AUXILIARY:
                pairs = struct.iter_unpack("=QQ", content[: len(content) // 16 * 16])
                self.entry_point = dict(pairs).get(ENTRY_POINT)
            place = begin + (size + 3 & ~3)

    def _read_files(self, content):
        count, page_size = struct.unpack_from("=QQ", content)
        names = content[16 + 24 * count :].split(b"\0")
        for i in range(count):
            begin, end, page = struct.unpack_from("=QQQ", content, 16 + 24 * i)
            self.files.append((begin, end, page * page_size, os.fsdecode(names[i])))

    def _from_files(self, loaded, executable, opened):
        """Return segments for what was mapped from files and is not in the core file."""
        program = next((path for begin, end, _, path in self.files if begin <= (self.entry_point or -1) < end), None)
        if program is None and self.files:
            program = self.files[0][3]
        descriptors = {}
        found = []
        for begin, end, offset, path in self.files:
            if path not in descriptors:
                descriptors[path] = open_file(executable if executable and path == program else path, opened)
            if descriptors[path] is None:
                continue
            for part_begin, part_end in without(begin, end, loaded):
                found.append((part_begin, part_end, descriptors[path], offset + part_begin - begin))
        if executable and program is None:
            raise NotACoreFile("it does not name the program")
        return found


def open_file(path, opened):
    try:
        return opened.enter_context(open(path, "rb")).fileno()
    except OSError:
        return None


def without(begin, end, segments):
    """Yield the parts of [begin, end) that are in none of the segments, which are in the order of their addresses."""
    for other_begin, other_end, _, _ in segments:
        if other_end <= begin or other_begin >= end:
            continue
        if begin < other_begin:
            yield begin, other_begin
        begin = other_end
    if begin < end:
        yield begin, end
