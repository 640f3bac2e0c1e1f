"""Argument parsers whose help is the docstring of a module."""

import argparse


def parser(text: str) -> argparse.ArgumentParser:
    """Return a parser whose help is *text*, and whose usage is the line of *text* that begins with "usage: "."""
    made = argparse.ArgumentParser(allow_abbrev=False)
    usage = next(line for line in text.splitlines() if line.startswith("usage: "))
    made.format_help = lambda: f"{text.strip()}\n"
    made.format_usage = lambda: f"{usage}\n"
    return made
