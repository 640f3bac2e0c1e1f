"""The drawings of docs/ match their text sources, and these match the source."""

import html
import re
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file())
DRAWINGS = ROOT / "docs/drawings"
NAMES = sorted(path.stem for path in DRAWINGS.glob("*.dot"))


def nodes(name):
    """Return the first and second lines of the boxes of a drawing."""
    source = (DRAWINGS / f"{name}.dot").read_text()
    return re.findall(r'^ +\w+ \[label="([^"\\]+)\\n([^"\\]+)"', source, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_is_made_of_its_present_source(name):
    drawing = html.unescape((DRAWINGS / f"{name}.svg").read_text())
    labels = re.findall(r'label="([^"]+)"', (DRAWINGS / f"{name}.dot").read_text())
    assert labels
    missing = [line for label in labels for line in re.split(r"\\n|\|", label) if line.strip() not in drawing]
    assert missing == [], "run `make drawings`"


def test_each_function_on_the_path_of_a_switch_is_in_its_file():
    steps = nodes("switch")
    assert len(steps) >= 8
    for function, file in steps:
        source = re.sub(r"^\s*(//|#).*$", "", (ROOT / file).read_text(), flags=re.MULTILINE)
        assert re.search(rf"(?<![\w.>]){re.escape(function.split('::')[-1])}(\(|:)", source), function


def test_the_drawing_of_the_layers_has_each_folder():
    assert {folder for folder, _ in nodes("layers")} == {f"src/{path.name}" for path in (ROOT / "src").iterdir()}
