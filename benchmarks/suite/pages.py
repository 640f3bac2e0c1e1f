"""The figures in pages of the documentation that benchmarks other than run.py measure."""

import json
import re
import subprocess
from pathlib import Path

from suite.environments import ROOT
from tools import interpreters

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
    """Run *script* with --json on each release build found, with this package. Returns what it printed, by version."""
    measured = {}
    for interpreter in interpreters.find():
        if interpreter.is_release:
            python = interpreter.environment("ours", log=subprocess.DEVNULL)
            done = subprocess.run(
                [*python, str(Path(script).resolve()), "--json"],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            measured[interpreter.name] = json.loads(done.stdout)
    return measured
