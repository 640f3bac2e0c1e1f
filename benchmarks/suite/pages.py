"""Writes the figures of the other benchmarks than run.py to pages of the documentation."""

import json
import re
import subprocess
from pathlib import Path

from suite.environments import ROOT
from tools import interpreters

BEGIN, END = "<!-- figures: {} -->\n", "<!-- end of figures -->\n"


def replace_figures(page: str, command: str, figures: str) -> None:
    """Replace the text of docs/*page* between the comments that name *command*.

    Raises ValueError if there are no such comments.
    """
    path = ROOT / "docs" / page
    begin = BEGIN.format(command)
    pattern = re.escape(begin) + ".*?" + re.escape(END)
    text, count = re.subn(pattern, lambda _: f"{begin}\n{figures.strip()}\n\n{END}", path.read_text(), flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"docs/{page} has no place for the figures of {command}")
    path.write_text(text)


def table(heading: list[str], rows: list[list[str]], names: int = 1) -> str:
    """Return a Markdown table, with the first *names* columns aligned left and the others right."""
    lines = [heading, ["---"] * names + ["---:"] * (len(heading) - names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def measure_everywhere(script: str) -> dict[str, object]:
    """Run *script* with --json on each release build found, with this package. Returns the output by version."""
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
