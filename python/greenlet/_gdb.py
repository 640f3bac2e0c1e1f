"""Commands of gdb: ``info greenlets``, ``greenlet NUMBER`` and ``greenlet apply all COMMAND``.

gdb loads this file when it reads the symbols of the extension module, which names it in its section
``.debug_gdb_scripts``, if its folder is on gdb's safe path (``set auto-load safe-path``). Otherwise: ``source`` this
file. It runs in gdb's Python, and does not import the package.

Where the fields are, a table in the extension module says.
"""

import os
import struct
import subprocess

import gdb
import gdb.unwinder

TABLE = struct.Struct("=16s4I6Q3I12II11I11I")
VERSION = 1
FREE_THREADED = 2
# By the processor: where a suspended stack has the registers, above its stack pointer (src/stackful/arch), and how
# much it is higher once they are taken off.
SAVED = {
    "i386:x86-64": (
        "rsp",
        "rip",
        {"rip": 56, "rbp": 48, "rbx": 40, "r12": 32, "r13": 24, "r14": 16, "r15": 8},
        64,
    ),
    "aarch64": (
        "sp",
        "pc",
        {"pc": 8, "x29": 0, "x30": 8} | {f"x{19 + i}": 16 + 8 * i for i in range(10)},
        176,
    ),
}
# Registers that hold a signed address on a processor with pointer authentication, and the bits that are the address.
SIGNED = {"pc", "x30"}
ADDRESS = (1 << 48) - 1


def number(address, kind="Q"):
    size = struct.calcsize("=" + kind)
    return struct.unpack("=" + kind, gdb.selected_inferior().read_memory(address, size))[0]


def text(address):
    memory = bytearray()
    while len(memory) < 200 and (byte := number(address + len(memory), "B")):
        memory.append(byte)
    return memory.decode("utf-8", "replace")


class Table:
    """The table of offsets of the process or core file."""

    def __init__(self):
        if gdb.lookup_type("void").pointer().sizeof != 8:
            raise gdb.GdbError("greenlets are shown where addresses have 64 bits")
        symbol = gdb.lookup_static_symbol("greenlet_offsets") or gdb.lookup_global_symbol("greenlet_offsets")
        try:
            address = symbol.value().address if symbol else gdb.parse_and_eval("&greenlet_offsets")
        except gdb.error:
            raise gdb.GdbError("there are no greenlets here: the process has not imported this package") from None
        fields = TABLE.unpack(gdb.selected_inferior().read_memory(int(address), TABLE.size))
        if fields[2] != VERSION:
            raise gdb.GdbError(f"the process has a table of version {fields[2]}, and this script reads {VERSION}")
        self.is_free_threaded = bool(fields[4] & FREE_THREADED)
        self.first_thread = fields[6]
        rest = iter(fields[11:])

        def group(names):
            return dict(zip(names.split(), rest))

        self.place = group("thread module next")
        self.thread = group(
            "size thread_state identity place current origin main active main_activation switches started ended"
        )
        self.object = group("implementation")
        self.greenlet = group(
            "size thread activation stack_pointer phase role parent resumer active_phase main_role body_role"
        )
        self.activation = group("size greenlet next run slot number frame chunk link suspensions link_frame")


class Greenlet:
    def __init__(self, table, address, thread, identity, is_current, is_main):
        self.address = address
        self.thread = thread
        self.identity = identity
        self.is_current = is_current
        self.is_main = is_main
        implementation = number(address + table.object["implementation"])
        self.stack_pointer = number(implementation + table.greenlet["stack_pointer"])
        class_address = number(address + (24 if table.is_free_threaded else 8))
        self.class_name = text(number(class_address + (40 if table.is_free_threaded else 24)))

    @property
    def state(self):
        return "current" if self.is_current else "suspended"


def greenlets():
    """Return the active greenlets of all threads that live, in the order in which they are numbered from 1."""
    table = Table()
    found = []
    place = number(table.first_thread)
    while place:
        thread = number(place + table.place["thread"])
        if thread and number(thread + table.thread["thread_state"]):
            found += greenlets_of(table, thread)
        place = number(place + table.place["next"])
    return found


def greenlets_of(table, thread):
    identity = number(thread + table.thread["identity"])
    current = number(thread + table.thread["current"])
    main = number(thread + table.thread["main"])
    addresses = [main] if main else []
    activation = number(thread + table.thread["active"])
    while activation:
        addresses.append(number(activation + table.activation["greenlet"]))
        activation = number(activation + table.activation["next"])
    return [Greenlet(table, each, thread, identity, each == current, each == main) for each in addresses]


class FrameId:
    """What tells a frame from others; gdb has a class of its own for this from 14 on."""

    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Suspended(gdb.unwinder.Unwinder):
    """Lets the innermost frame seem to be called by the suspended greenlet's innermost one."""

    def __init__(self):
        super().__init__("suspended greenlet")
        self.stack_pointer = None
        self.innermost = None

    def __call__(self, pending):
        if self.stack_pointer is None:
            return None
        kind = SAVED[pending.architecture().name()]
        stack_name, place_name, offsets, size = kind
        here = int(pending.read_register(stack_name)), int(pending.read_register(place_name))
        if here != self.innermost:
            return None
        like = pending.read_register(stack_name)
        # As if it were on the same stack, because gdb stops where addresses do not rise from call to caller.
        own_place = gdb.Value(self.stack_pointer).cast(like.type)
        info = pending.create_unwind_info(FrameId(own_place, pending.read_register(place_name)))
        info.add_saved_register(stack_name, gdb.Value(self.stack_pointer + size).cast(like.type))
        for name, offset in offsets.items():
            register = pending.read_register(name)
            value = number(self.stack_pointer + offset)
            if name in SIGNED:
                value &= ADDRESS
            info.add_saved_register(name, gdb.Value(value).cast(register.type))
        return info

    def while_showing(self, stack_pointer, command):
        """Execute a command while the stack is the suspended one. Returns its output."""
        newest = gdb.newest_frame()
        kind = SAVED.get(newest.architecture().name())
        if kind is None:
            raise gdb.GdbError(f"the stacks of {newest.architecture().name()} can't be shown")
        newest.select()
        self.innermost = int(newest.read_register(kind[0])), int(newest.read_register(kind[1]))
        self.stack_pointer = stack_pointer
        gdb.invalidate_cached_frames()
        try:
            gdb.newest_frame().older().select()
            return gdb.execute(command, to_string=True)
        finally:
            self.stack_pointer = None
            gdb.invalidate_cached_frames()


suspended = Suspended()
gdb.unwinder.register_unwinder(None, suspended, replace=True)


def thread_of(greenlet):
    for thread in gdb.selected_inferior().threads():
        try:
            handle = int.from_bytes(thread.handle(), "little")
        except RuntimeError:  # gdb knows the threads of glibc, not of musl
            continue
        if handle == greenlet.identity:
            return thread
    threads = gdb.selected_inferior().threads()
    return threads[0] if len(threads) == 1 else None


def show(greenlet, command):
    """Execute a command, such as bt, on the C stack of a greenlet. Returns the output."""
    if not greenlet.is_current:
        words = command.split()
        if len(words) == 2 and words[0] in ("bt", "backtrace", "where") and words[1].isdecimal():
            command = f"{words[0]} {int(words[1]) + 1}"
        output = suspended.while_showing(greenlet.stack_pointer, command)
        # The innermost frame is that of what runs.
        return "".join(line for line in output.splitlines(True) if not line.startswith("#0 "))
    thread = thread_of(greenlet)
    if thread is None:
        return "  gdb does not say which of its threads this greenlet is current in\n"
    selected = gdb.selected_thread()
    thread.switch()
    try:
        return gdb.execute(command, to_string=True)
    finally:
        selected.switch()


def python_frames(greenlet):
    """Return what ``python -m greenlet dump`` says of the greenlet: gdb knows nothing of Python's frames."""
    process = gdb.selected_inferior().pid
    module = next((each.filename for each in gdb.objfiles() if "_greenlet." in os.path.basename(each.filename)), None)
    if not process or module is None or not os.path.exists(f"/proc/{process}/exe"):
        return "  Python's frames: python -m greenlet dump --core FILE\n"
    environment = os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(module))}
    command = [f"/proc/{process}/exe", "-m", "greenlet", "dump", str(process), "--greenlet", f"{greenlet.address:#x}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.stdout or done.stderr


def heading(position, greenlet):
    main = " main" if greenlet.is_main else ""
    return (
        f"{position:5}  {greenlet.address:#x}  {greenlet.state:9}  thread {greenlet.identity:#x}  "
        f"{greenlet.class_name}{main}\n"
    )


class InfoGreenlets(gdb.Command):
    """List the active greenlets: number, address, state, thread, class."""

    def __init__(self):
        super().__init__("info greenlets", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for position, greenlet in enumerate(greenlets(), 1):
            gdb.write(heading(position, greenlet))


class GreenletCommand(gdb.Command):
    """Show a greenlet: greenlet NUMBER, or greenlet apply all|NUMBER... COMMAND.

    The numbers are those of "info greenlets". "greenlet NUMBER" shows its calls of C functions, then those of Python
    functions. "greenlet apply" executes a command of gdb, such as bt, on the C stack of each.
    """

    def __init__(self):
        super().__init__("greenlet", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        found = greenlets()
        if words[:1] == ["apply"]:
            self.apply(words[1:], found)
        elif len(words) == 1:
            greenlet = self.by_number(words[0], found)
            gdb.write(heading(int(words[0]), greenlet) + show(greenlet, "bt") + python_frames(greenlet))
        else:
            raise gdb.GdbError("greenlet NUMBER, or greenlet apply all|NUMBER... COMMAND")

    def apply(self, words, found):
        numbers = []
        while words and (words[0] == "all" or words[0].isdecimal()):
            word = words.pop(0)
            numbers += range(1, len(found) + 1) if word == "all" else [word]
        if not numbers or not words:
            raise gdb.GdbError("greenlet apply all|NUMBER... COMMAND")
        for position in numbers:
            greenlet = self.by_number(position, found)
            gdb.write("\n" + heading(int(position), greenlet) + show(greenlet, " ".join(words)))

    def by_number(self, word, found):
        if not str(word).isdecimal() or not 1 <= int(word) <= len(found):
            raise gdb.GdbError(f"no greenlet {word}: there are {len(found)}, see info greenlets")
        return found[int(word) - 1]


InfoGreenlets()
GreenletCommand()
