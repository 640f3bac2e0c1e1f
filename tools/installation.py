"""Tries what docs/installing.md and two how-to guides show, each section in a clean environment.

usage: PYTHON -m tools installation [SECTION...]

A section (a heading of the pages, such as "uv" or "A constraints file"; by default all) gets a folder of its own with
a new virtual environment, the examples, and a folder `wheels` with a wheel and a source distribution of this tree.
Files that the section shows, with a caption, are written there. Then the commands of its `console` blocks are run, and
what they print is compared with the page; `...` stands for anything. The instructions of a Dockerfile are run without
Docker: COPY has to find its source, and ENV and RUN are carried out in the environment.

It takes some minutes and downloads packages, so continuous integration does not run it.
"""

import doctest
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tools import BUILD, ROOT, environment
from tools.usage import parse_names, parser

PAGES = ("docs/installing.md", "docs/how-to/go-back.md", "docs/how-to/c-extension.md")
FOLDER = BUILD / "installation"
INSTALLERS = ["uv", "poetry"]
# Poetry asks PyPI for each version in JSON. Where a proxy has only the simple index, it is told to use that.
VERSION = "https://pypi.org/pypi/pip/25.0/json"
SIMPLE_INDEX = "poetry source add --quiet --priority=primary simple https://pypi.org/simple/"
SECONDS = 600
SHELLS = ("console", "dockerfile")
BLOCK = re.compile(r"^```(\{code-block\} )?(\w+)\n(?::caption: (\S+)\n\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, list[tuple[str, str | None, str]]]:
    """Return the blocks of each section: kind, caption and text. The part before the first heading is left out."""
    found = {}
    for page in PAGES:
        text = (ROOT / page).read_text()
        title = re.match("# (.*)\n", text)[1]
        parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
        for name, part in [(title, parts[0]), *zip(parts[1::2], parts[2::2], strict=True)]:
            blocks = [(kind, caption, body) for _, kind, caption, body in BLOCK.findall(part)]
            if any(kind == "console" or caption for kind, caption, _ in blocks):
                found[name] = blocks
    return found


def commands(console: str) -> list[tuple[str, str]]:
    """Return each command of a block, with what it prints. Lines that begin with "> " continue a command."""
    found = []
    for line in console.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> "):
            found[-1] = (found[-1][0] + line[2:], "")
        else:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def as_commands(dockerfile: str) -> str:
    """Return the instructions of a Dockerfile as a console block."""
    lines = []
    for instruction, rest in re.findall(r"^(\w+) (.*)$", dockerfile, re.MULTILINE):
        if instruction == "COPY":
            lines.append(f"$ test -e {rest.split()[0]}")
        elif instruction == "ENV":
            lines.append(f"$ export {rest}")
        elif instruction == "RUN":
            lines.append(f"$ {rest} >/dev/null")
    return "\n".join(lines) + "\n"


class Session:
    """A shell in a folder with a new environment, which keeps variables from one command to the next."""

    def __init__(self, folder: Path, packages: Path, installers: Path):
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder
        folder.mkdir(parents=True)
        shutil.copytree(packages, folder / "wheels")
        shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        (folder / ".python-version").write_text(f"{sys.executable}\n")  # as `uv python pin` does, for uv's projects
        path = os.pathsep.join([str(folder / "venv" / "bin"), str(installers), os.environ["PATH"]])
        left_out = ("PIP_", "UV_", "POETRY_", "PYTHON")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(left_out) or "INDEX" in name or "CERT" in name or "CACHE" in name
        }
        quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
        own = {"POETRY_VIRTUALENVS_IN_PROJECT": "true"}
        self.environment = {**kept, **quiet, **own, "PATH": path, "VIRTUAL_ENV": str(folder / "venv")}

    def run(self, command: str) -> tuple[int, str, str]:
        """Run a command with bash. Returns its status, its output and its errors."""
        exported = self.folder / "exported"
        script = f"{command}\nstatus=$?\nenv -0 > {exported}\nexit $status\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        if exported.is_file():
            self.environment = dict(entry.split("=", 1) for entry in exported.read_text().split("\0") if "=" in entry)
        return done.returncode, done.stdout, done.stderr


def has_versions_in_json() -> bool:
    try:
        with urllib.request.urlopen(VERSION, timeout=30):
            return True
    except OSError:
        return False


def attempt(name: str, blocks: list[tuple[str, str | None, str]], packages: Path, installers: Path) -> bool:
    """Carry out a section. Prints what fails; returns whether nothing did."""
    session = Session(FOLDER / re.sub(r"\W+", "-", name.lower()), packages, installers)
    for _, caption, text in blocks:
        if caption:
            (session.folder / caption).write_text(text)
    consoles = [as_commands(text) if kind == "dockerfile" else text for kind, _, text in blocks if kind in SHELLS]
    checker = doctest.OutputChecker()
    for command, expected in (each for console in consoles for each in commands(console)):
        if command.startswith("poetry add") and not has_versions_in_json():
            session.run(SIMPLE_INDEX)
        status, output, errors = session.run(command)
        if status != 0 or (expected and not checker.check_output(expected, output, doctest.ELLIPSIS)):
            print(f"--- {name}: $ {command}exit status {status}, output:\n{output}{errors}", flush=True)
            return False
    return True


def make_packages() -> Path:
    """Build a wheel and a source distribution. Returns the folder that has both."""
    folder = FOLDER / "packages"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make_wheel = [sys.executable, "-m", "tools", "wheel", "--to", folder]
    subprocess.run(make_wheel, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    make = f"from scikit_build_core.build import build_sdist; build_sdist({str(folder)!r})"
    subprocess.run([environment.ours(), "-c", make], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def main(arguments: list[str]) -> int:
    known = sections()
    options = parse_names(parser(__doc__), arguments, known)
    packages = make_packages()
    with environment.one_at_a_time():
        installers = environment.make(environment.FOLDER / "installers", INSTALLERS).parent
    # Only the two commands: the interpreter beside them is not the environment's.
    commands_only = FOLDER / "bin"
    shutil.rmtree(commands_only, ignore_errors=True)
    commands_only.mkdir(parents=True)
    for name in INSTALLERS:
        (commands_only / name).symlink_to(installers / name)
    failed = []
    for name in options.names:
        began = time.monotonic()
        good = attempt(name, known[name], packages, commands_only)
        print(f"{name}: {'passed' if good else 'FAILED'}, {time.monotonic() - began:.0f} s", flush=True)
        if not good:
            failed.append(name)
    print(f"installation: {'passed' if not failed else 'FAILED: ' + ', '.join(failed)}")
    return len(failed) > 0
