"""Reads object files and libraries: Mach-O (macOS) and ELF, of 64 bits and little-endian."""

import struct
from dataclasses import dataclass, field
from pathlib import Path

MACH_O_MAGIC = 0xFEEDFACF
PROCESSORS = {0x0100000C: "aarch64", 0x01000007: "x86_64", 183: "aarch64", 62: "x86_64"}  # Mach-O's, ELF's numbers
MACH_O_KINDS = {1: "object", 6: "library", 8: "bundle"}
ELF_KINDS = {1: "object", 3: "library"}
LC_SEGMENT_64, LC_SYMTAB, LC_LOAD_DYLIB = 0x19, 0x2, 0xC
N_STAB, N_TYPE, N_EXT = 0xE0, 0x0E, 0x01
DYNAMIC_LOOKUP = 0xFE  # in place of the number of a library: whatever the process has
ELF_TEXT, ELF_SYMBOLS, ELF_DYNAMIC_SYMBOLS, ELF_DYNAMIC = ".text", ".symtab", ".dynsym", ".dynamic"
DT_NEEDED = 1
COMPACT_UNWIND_BY_DWARF = {"aarch64": 0x03000000, "x86_64": 0x04000000}


@dataclass
class ObjectFile:
    format: str  # "Mach-O" or "ELF"
    kind: str
    processor: str
    text: bytes = b""  # machine code
    relocated: set[int] = field(default_factory=set)  # the bytes of it that the linker fills in (Mach-O only)
    libraries: list[str] = field(default_factory=list)
    undefined: dict[str, str | None] = field(default_factory=dict)  # symbol: library; None if any may define it
    defined: set[str] = field(default_factory=set)  # symbols that others see
    unwinding: list[int] = field(default_factory=list)  # the encodings of compact unwind information


def c_string(data: bytes, place: int) -> str:
    return data[place : data.index(b"\0", place)].decode()


def read_mach_o(data: bytes) -> ObjectFile:
    _, processor, _, kind, commands = struct.unpack_from("<5I", data)
    found = ObjectFile("Mach-O", MACH_O_KINDS.get(kind, str(kind)), PROCESSORS.get(processor, str(processor)))
    symbols = None
    place = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<2I", data, place)
        command &= 0x7FFFFFFF
        if command == LC_SEGMENT_64:
            (count,) = struct.unpack_from("<I", data, place + 64)
            for i in range(count):
                read_mach_o_section(data, place + 72 + 80 * i, found)
        elif command == LC_SYMTAB:
            symbols = struct.unpack_from("<4I", data, place + 8)
        elif command == LC_LOAD_DYLIB:
            found.libraries.append(c_string(data, place + struct.unpack_from("<I", data, place + 8)[0]))
        place += size
    if symbols is not None:
        read_mach_o_symbols(data, symbols, found)
    return found


def read_mach_o_section(data: bytes, place: int, found: ObjectFile) -> None:
    name, _, _, size, offset, _, relocations, count = struct.unpack_from("<16s16sQQIIII", data, place)
    if name.rstrip(b"\0") == b"__text":
        found.text = data[offset : offset + size]
        for i in range(count):
            address, what = struct.unpack_from("<iI", data, relocations + 8 * i)
            found.relocated |= set(range(address, address + (1 << (what >> 25 & 3))))
    elif name == b"__compact_unwind":
        entries = data[offset : offset + size]
        found.unwinding = [struct.unpack_from("<I", entries, i + 12)[0] for i in range(0, size, 32)]


def read_mach_o_symbols(data: bytes, table: tuple[int, ...], found: ObjectFile) -> None:
    offset, count, names, _ = table
    for i in range(count):
        name, kind, _, description, _ = struct.unpack_from("<IBBHQ", data, offset + 16 * i)
        if kind & N_STAB or not kind & N_EXT:
            continue
        symbol = c_string(data, names + name)
        if kind & N_TYPE:
            found.defined.add(symbol)
            continue
        number = description >> 8
        in_order = 0 < number <= len(found.libraries)
        found.undefined[symbol] = found.libraries[number - 1] if in_order else None


def read_elf(data: bytes) -> ObjectFile:
    kind, processor = struct.unpack_from("<HH", data, 16)
    found = ObjectFile("ELF", ELF_KINDS.get(kind, str(kind)), PROCESSORS.get(processor, str(processor)))
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count, names_number = struct.unpack_from("<3H", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, table + size * i) for i in range(count)]
    sections = {c_string(data, headers[names_number][4] + header[0]): header for header in headers}

    def contents(header) -> bytes:
        return data[header[4] : header[4] + header[5]]

    if ELF_TEXT in sections:
        found.text = contents(sections[ELF_TEXT])
    header = sections.get(ELF_DYNAMIC_SYMBOLS) or sections.get(ELF_SYMBOLS)
    if header is not None:
        versions = read_elf_versions(sections, contents)
        names = contents(headers[header[6]])
        for i, entry in enumerate(struct.iter_unpack("<IBBHQQ", contents(header))):
            name, binding = c_string(names, entry[0]), entry[1] >> 4
            if name and binding and entry[3] == 0:
                found.undefined[name] = versions(i)
            elif name and binding:
                found.defined.add(name)
    if ELF_DYNAMIC in sections:
        header = sections[ELF_DYNAMIC]
        names = contents(headers[header[6]])
        needed = [value for tag, value in struct.iter_unpack("<QQ", contents(header)) if tag == DT_NEEDED]
        found.libraries = [c_string(names, value) for value in needed]
    return found


def read_elf_versions(sections, contents):
    """Return a function from the number of a dynamic symbol to the library that its version is of."""
    if ".gnu.version" not in sections or ".gnu.version_r" not in sections:
        return lambda number: None
    versions = [value for (value,) in struct.iter_unpack("<H", contents(sections[".gnu.version"]))]
    needs, names = contents(sections[".gnu.version_r"]), contents(sections[".dynstr"])
    libraries = {}
    place = 0
    while True:
        _, count, library, auxiliary, following = struct.unpack_from("<HHIII", needs, place)
        entry = place + auxiliary
        for _ in range(count):
            _, _, number, _, next_entry = struct.unpack_from("<IHHII", needs, entry)
            libraries[number & 0x7FFF] = c_string(names, library)
            entry += next_entry
        if following == 0:
            break
        place += following
    return lambda number: libraries.get(versions[number] & 0x7FFF)


def read(path: Path) -> ObjectFile:
    """Read a file. Raises ValueError if it has another format."""
    data = path.read_bytes()
    if data[:4] == struct.pack("<I", MACH_O_MAGIC):
        return read_mach_o(data)
    if data[:6] == b"\x7fELF\2\1":
        return read_elf(data)
    raise ValueError(f"{path}: neither Mach-O nor ELF, of 64 bits and little-endian")
