"""The figures in pages of the documentation that benchmarks other than run.py measure."""

import json
import re
import subprocess
from pathlib import Path

from suite.environments import ROOT

BEGIN, END = "<!-- figures: {} -->\n", "<!-- end of figures -->\n"


def replace_figures(page: str, command: str, figures: str) -> None:
    """Replace what is in docs/*page* between the comments that name *command* as what measures it.

    Raises ValueError if there is no such place.
    """
    path = ROOT / "docs" / page
    begin = BEGIN.format(command)
    pattern = re.escape(begin) + ".*?" + re.escape(END)
    text, count = re.subn(pattern, lambda _: f"{begin}\n{figures.strip()}\n\n{END}", path.read_text(), flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"docs/{page} has no place for the figures of {command}")
    path.write_text(text)


def table(heading: list[str], rows: list[list[str]], names: int = 1) -> str:
    """A table in Markdown: the cells of the first *names* columns to the left, the others to the right."""
    lines = [heading, ["---"] * names + ["---:"] * (len(heading) - names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def measure_everywhere(script: str) -> dict[str, object]:
    """What *script* prints with --json on each release build that tools/interpreters lists, with this package; by the
    version."""
    listed = subprocess.run([ROOT / "tools" / "interpreters"], check=True, stdout=subprocess.PIPE, text=True).stdout
    measured = {}
    for name, *command in map(str.split, listed.splitlines()):
        if name.replace(".", "").isdecimal():  # a release build
            made = subprocess.run([*command, "tools/environment.py", "ours"], check=True, cwd=ROOT, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            done = subprocess.run([*command[:-1], made.stdout.split()[-1], str(Path(script).resolve()), "--json"],
                                  check=True, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
            measured[name] = json.loads(done.stdout)
    return measured
