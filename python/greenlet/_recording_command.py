"""``python -m greenlet trace``: a page, or a trace-event file, made from a recording."""

import argparse
import pathlib
import sys
import tempfile

from ._recording_page import page
from ._recording_ring import MAGIC, recover


def is_ring(path: pathlib.Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def convert(source: pathlib.Path, target: pathlib.Path) -> None:
    if not is_ring(source):
        page(source, target)
    elif target.suffix == ".json":
        recover(source, target)
    else:
        with tempfile.TemporaryDirectory() as folder:
            trace = pathlib.Path(folder, "trace.json")
            recover(source, trace)
            page(trace, target)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "python -m greenlet trace",
        description="Make a page of a recording of switches (greenlet.inspect.record): plain HTML, in one file.",
    )
    parser.add_argument("file", type=pathlib.Path, help="what record() has written, or the .ring that a crash has left")
    parser.add_argument(
        "-o",
        "--output",
        type=pathlib.Path,
        help="the page, by default FILE with the ending .html; a name that ends with .json makes a trace-event file of a ring",
    )
    options = parser.parse_args(arguments)
    target = options.output or options.file.with_suffix(".html")
    try:
        convert(options.file, target)
    except (OSError, ValueError) as error:
        print(f"python -m greenlet trace: {error}", file=sys.stderr)
        return 1
    print(target)
    return 0
