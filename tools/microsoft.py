"""Has Clang read the source as C++ for Microsoft's compiler on Windows, which `python -m tools windows dialect` does.

Clang then takes what that compiler takes and lays out objects as it does, but keeps GNU's inline assembly and builtin
functions, of which Microsoft's compiler takes none. Its libraries can't be had on other systems, so MinGW-w64's stand
in, and nothing is compiled or linked.
"""

import concurrent.futures
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

from tools import ROOT, environment

DIALECT = [
    *("--target=x86_64-pc-windows-msvc", "-fms-compatibility-version=19.44", "-fgnuc-version=14"),
    # So that the headers of MinGW-w64 are themselves.
    *("-U_MSC_VER", "-D__MINGW32__", "-D__MINGW64__", "-D_UCRT"),
    # [[no_unique_address]] has another name there. Without it, some objects are larger.
    "-Wno-unknown-attributes",
]
# clang-tidy wants a check of its own besides the compiler's messages.
CHECKS = "--checks=-*,clang-diagnostic-*,misc-unused-alias-decls"


def system_headers(compiler: str) -> list[str]:
    """Return the options that find the headers of *compiler*, but its own: Clang has those."""
    done = subprocess.run([compiler, "-v", "-E", "-x", "c++", os.devnull], check=True, capture_output=True, text=True)
    folders = [os.path.normpath(folder) for folder in re.findall(r"^ (/\S+)$", done.stderr, re.MULTILINE)]
    return [f"-isystem{folder}" for folder in folders if "/c++" in folder or not folder.startswith("/usr/lib/gcc/")]


def options(entry: dict[str, str]) -> list[str]:
    """Return the dialect, definitions and folders with which a file is compiled, given the build's *entry*."""
    words = shlex.split(entry["command"])
    for response in re.findall(r"@(\S+)", entry["command"]):
        words += (Path(entry["directory"]) / response).read_text().replace('"', "").split()
    return [word for word in words if word.startswith(("-D", "-I", "-std"))]


def read(build: Path, compiler: str) -> bool:
    """Read all C++ that a *build* for Windows by *compiler* compiles. Prints the messages; True if there are none."""
    clang_tidy = environment.lint().parent / "clang-tidy"
    headers = system_headers(compiler)

    def messages(entry: dict[str, str]) -> list[str]:
        command = [clang_tidy, "--quiet", CHECKS, entry["file"], "--", "-x", "c++"]
        done = subprocess.run([*command, *DIALECT, *options(entry), *headers], cwd=ROOT, capture_output=True, text=True)
        found = re.findall(r"^.*(?:error|warning):.*$", done.stdout, re.MULTILINE)
        return found or ([done.stderr] if done.returncode else [])

    entries = json.loads((build / "compile_commands.json").read_text())
    sources = [entry for entry in entries if entry["file"].endswith(".cpp")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict.fromkeys(line for lines in pool.map(messages, sources) for line in lines)
    print(*found, f"{len(sources)} files read as Microsoft's C++: {len(found)} messages", sep="\n", flush=True)
    return bool(sources) and not found
