"""The messages in docs/reference/errors.md are those of the source."""

import functools
import re

import pytest
from support.environment import ROOT

PAGE = ROOT / "docs/reference/errors.md"
# Written by CPython, the C library or the kernel.
OTHERS = {"RecursionError", "Segmentation fault", "Operation not permitted"}

pytestmark = pytest.mark.skipif(not (ROOT / "src").is_dir(), reason="needs the source tree")


def messages():
    cells = re.findall(r"^\| `([^`]+)`", PAGE.read_text(), re.MULTILINE)
    return [re.sub(r"^[\w.]*(Error|error|Warning): ", "", cell) for cell in cells]


@functools.cache
def source():
    """Return all string literals of the source; those that follow each other are joined."""
    files = [*(ROOT / "src").rglob("*.cpp"), *(ROOT / "python").rglob("*.py")]
    text = "\n".join(file.read_text() for file in files)
    return re.sub(r'"\s*f?"', "", text)


def test_the_page_has_messages():
    assert len(messages()) > 30


@pytest.mark.parametrize("message", messages())
def test_a_message_is_in_the_source(message):
    if message in OTHERS:
        return
    parts = [part.strip() for part in message.split("...") if part.strip(" .")]
    found = source()
    assert parts
    for part in parts:
        assert part in found, part
