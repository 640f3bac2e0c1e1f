"""Argument parsers whose help is the docstring of a module."""

import argparse
from collections.abc import Iterable


def parser(text: str) -> argparse.ArgumentParser:
    """Return a parser whose help is *text*, and whose usage is the line of *text* that begins with "usage: "."""
    made = argparse.ArgumentParser(allow_abbrev=False)
    usage = next(line for line in text.splitlines() if line.startswith("usage: "))
    made.format_help = lambda: f"{text.strip()}\n"
    made.format_usage = lambda: f"{usage}\n"
    return made


def parse_names(
    made: argparse.ArgumentParser, arguments: list[str], known: Iterable[str], default: Iterable[str] | None = None
) -> argparse.Namespace:
    """Parse *arguments*, among them names of what is *known*. Without any, the names are the *default*, or all."""
    known = list(known)
    made.add_argument("names", nargs="*")
    options = made.parse_args(arguments)
    unknown = set(options.names) - set(known)
    if unknown:
        made.error(f"unknown: {', '.join(sorted(unknown))}")
    options.names = options.names or list(known if default is None else default)
    return options
