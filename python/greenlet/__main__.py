"""``python -m greenlet`` shows which package this is, and what it found on this system.

``python -m greenlet ps``, ``pstree`` and ``dump`` show the greenlets of another process.
"""

import argparse
import importlib.metadata
import json
import platform
import sys

import greenlet

from . import _greenlet, _outside

IMPLEMENTATION = "this package, in which each greenlet has its own stack; it is not PyPI's greenlet, but replaces it"
SWITCHES = {
    "x86_64": "assembly for x86-64",
    "x86_64_windows": "assembly for x86-64",
    "aarch64": "assembly for AArch64",
    "i386": "assembly for i386",
    "armv7": "assembly for 32-bit Arm",
    "riscv64": "assembly for 64-bit RISC-V",
    "ppc64le": "assembly for 64-bit PowerPC",
    "s390x": "assembly for s390x",
    "loongarch64": "assembly for 64-bit LoongArch",
    "ucontext": "swapcontext() of the C library",
}
GUARDS = {
    "MADV_GUARD_INSTALL": "MADV_GUARD_INSTALL: takes no mapping",
    "mprotect": "mprotect: takes two mappings a stack, because this kernel has no MADV_GUARD_INSTALL (Linux 6.13 on)",
}
MEMORY = {
    "at_once": "pages count when they are touched",
    "when_needed": "the system does not overcommit memory (vm.overcommit_memory=2): stacks count when they are created",
}
LIMIT = "ulimit -s"
if sys.platform != "linux":
    GUARDS["mprotect"] = "pages without access"
if sys.platform == "win32":
    MEMORY["when_needed"] = "stacks count as they grow"
    LIMIT = "python.exe"


def installed_version() -> str | None:
    """Return the version that the installer recorded.

    It differs from the module's if another greenlet was installed over it.
    """
    try:
        return importlib.metadata.version("greenlet")
    except importlib.metadata.PackageNotFoundError:
        return None


def most_mappings() -> int | None:
    """Return the maximum number of memory mappings of a process, or None if it is unknown."""
    if sys.platform != "linux":
        return None
    try:
        with open("/proc/sys/vm/max_map_count") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def facts() -> dict[str, object]:
    """Collect what is shown. Sizes are in bytes; None means unlimited, unknown or not set."""
    return {
        "version": greenlet.__version__,
        "implementation": greenlet.implementation,
        "installed_version": installed_version(),
        "file": _greenlet.__file__,
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "executable": sys.executable,
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "max_map_count": most_mappings(),
        **_greenlet._about(),
    }


def size(number: int) -> str:
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if number >= unit and number % unit == 0:
            return f"{number // unit:,} {name}"
    return f"{number:,} B"


def reason(found) -> str:
    variable = found["environment"]["GREENLET_STACK_SIZE"]
    if variable is not None and variable[1]:
        return "set by GREENLET_STACK_SIZE"
    limit = "unlimited" if found["stack_limit"] is None else size(found["stack_limit"])
    return f"from the limit for threads ({LIMIT}: {limit}) and the available memory"


def variables(environment) -> str:
    def line(name, value):
        if value is None:
            return f"{name} is not set"
        text, is_understood = value
        return f"{name}={text!r}, {'which is used' if is_understood else 'which is not understood and ignored'}"

    return "\n             ".join(line(name, value) for name, value in environment.items())


def text(found) -> str:
    gil = "" if found["gil"] else " without a GIL"
    lines = {
        "greenlet": f"{found['version']}, implementation {found['implementation']!r}",
        "": IMPLEMENTATION,
        "file": found["file"],
        "python": f"{found['python_implementation']} {found['python']}{gil}, {found['executable']}",
        "system": found["system"],
        "switch": SWITCHES.get(found["switch"], found["switch"]),
        "stack": f"{size(found['stack_size'])} each, {reason(found)}",
        "guard": f"{size(found['guard_size'])} below each stack, by {GUARDS[found['guards']]}",
        "memory": f"{MEMORY[found['memory']]}; pages of {size(found['page_size'])}"
        + (f"; at most {found['max_map_count']:,} mappings" if found["max_map_count"] is not None else ""),
        "environment": variables(found["environment"]),
    }
    if found["installed_version"] != found["version"]:
        other = found["installed_version"]
        lines["beware"] = (
            "no installed distribution called greenlet is on the path"
            if other is None
            else f"pip has greenlet {other} on record: it was installed over this package, or this package over it"
        )
    return "\n".join(f"{name:13}{value}" for name, value in lines.items())


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["trace"]:
        from ._recording_command import main as trace

        return trace(arguments[1:])
    parser = argparse.ArgumentParser(
        "python -m greenlet",
        description="Show which greenlet this is and what it found on this system.",
        epilog="`python -m greenlet trace --help`: a page made from a recording of switches.",
    )
    _outside.add_commands(parser)
    parser.add_argument(
        "--json", action="store_true", help="print JSON: sizes in bytes, null for unlimited, unknown or not set"
    )
    options = parser.parse_args(arguments)
    if options.command is not None:
        return _outside.run(options, parser)
    found = facts()
    print(json.dumps(found, indent=2) if options.json else text(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
