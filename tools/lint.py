"""Checks the code with formatters and linters of pinned versions from PyPI.

usage: PYTHON -m tools lint [--fix] [ruff | clang-format | clang-tidy | text]...

    ruff            Python: the rules in pyproject.toml, and the layout
    clang-format    C and C++: the layout (.clang-format)
    clang-tidy      C++ of src/ for this system: the checks in .clang-tidy, with the headers of PYTHON
    text            shell scripts, Makefile and CMakeLists.txt: 120 columns, and no blanks at the ends of lines

Without names, all run. Each prints one closing line. --fix lets ruff and clang-format change the files. The exit status
is 1 if one of them found something.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import BUILD, ROOT, environment, processes
from tools.usage import parse_names, parser

COLUMNS = 120
BINARIES = environment.FOLDER / environment.FOLDERS["lint"] / "bin"
AT_ONCE = 2


def files(*patterns: str) -> list[str]:
    """Return the files of the tree that match, except those in its .gitignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", *patterns],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def call(tool: str, *arguments: str | Path) -> bool:
    """Run a tool of the environment. Returns True if it succeeded."""
    return processes.call([BINARIES / tool, *arguments]) == 0


def ruff(fix: bool) -> bool:
    rules = call("ruff", "check", "--quiet", *(["--fix"] if fix else []), ".")
    layout = call("ruff", "format", "--quiet", *([] if fix else ["--diff"]), ".")
    return rules and layout


def clang_format(fix: bool) -> bool:
    sources = files("*.[ch]pp", "*.[ch]")
    return call("clang-format", *(["-i"] if fix else ["--dry-run", "--Werror"]), *sources)


def clang_tidy(fix: bool) -> bool:
    folder = BUILD / "lint" / environment.FOLDER.name
    python, ninja = f"-DPython_EXECUTABLE={sys.executable}", f"-DCMAKE_MAKE_PROGRAM={BINARIES / 'ninja'}"
    if not call("cmake", "--log-level=WARNING", "--preset=debug", "-B", folder, "-G", "Ninja", python, ninja):
        return False

    def check(source: str) -> bool:
        done = subprocess.run(
            [BINARIES / "clang-tidy", "--quiet", "-p", folder, source],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            print(done.stdout, end="", flush=True)
        return done.returncode == 0

    compiled = {Path(each["file"]) for each in json.loads((folder / "compile_commands.json").read_text())}
    # Files for other systems need the headers of those.
    sources = [name for name in files("src/*.cpp") if ROOT / name in compiled or "/system/" not in name]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return all(list(pool.map(check, sources)))


def text(fix: bool) -> bool:
    scripts = [name for name in files("tools/*", ".ci/*") if (ROOT / name).read_bytes().startswith(b"#!")]
    good = True
    for name in [*scripts, *files("*CMakeLists.txt", "Makefile", "pyproject.toml")]:
        for number, line in enumerate((ROOT / name).read_text().splitlines(), start=1):
            if len(line) > COLUMNS or line != line.rstrip():
                print(f"{name}:{number}: {'more than 120 columns' if len(line) > COLUMNS else 'blanks at the end'}")
                good = False
    return good


CHECKS: dict[str, Callable[[bool], bool]] = {
    "ruff": ruff,
    "clang-format": clang_format,
    "clang-tidy": clang_tidy,
    "text": text,
}


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--fix", action="store_true")
    options = parse_names(parsed, arguments, CHECKS)
    environment.lint()
    bad = []
    for name in options.names:
        good = CHECKS[name](options.fix)
        print(f"{name}: {'passed' if good else 'FAILED'}", flush=True)
        if not good:
            bad.append(name)
    print(f"lint: {'passed' if not bad else 'FAILED: ' + ', '.join(bad)}")
    return len(bad) > 0
