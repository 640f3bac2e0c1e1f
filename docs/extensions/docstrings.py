"""Makes reStructuredText of this package's docstrings, which are written to be read in a terminal.

A docstring has paragraphs, then sections: `Parameters:`, `Attributes:`, `Returns:` and `Raises:`. An item of a section
is `name: text`, or a sentence; lines that continue it are indented further.
"""

import re

SECTIONS = ("Parameters", "Attributes", "Returns", "Raises")
ITEM = re.compile(r"^([\w.]+(?:, [\w.]+)*): (.*)$")


def escape(line: str) -> str:
    """Escape what is no markup, such as the asterisks of `*args` and the end of `FLAGS_...`, except in literals."""

    def escaped(text):
        text = re.sub(r"(?<![\w*\\])(\*{1,2})(?=\w+\b(?!\*))", lambda match: r"\*" * len(match[1]), text)
        return re.sub(r"(?<=\w)_(?![\w(])", r"\_", text)

    parts = re.split(r"(``.*?``|`.*?`)", line)
    return "".join(part if part.startswith("`") else escaped(part) for part in parts)


def items(lines: list[str]) -> list[str]:
    """Join the lines of each item of a section."""
    found = []
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    for line in lines:
        if not line.strip():
            continue
        if len(line) - len(line.lstrip()) == indent or not found:
            found.append(line.strip())
        else:
            found[-1] += " " + line.strip()
    return found


def rendered(section: str, lines: list[str]) -> list[str]:
    if section == "Returns":
        return ["", f":{section}: {escape(' '.join(line.strip() for line in lines if line.strip()))}"]
    out = ["", f":{section}:"]
    for item in items(lines):
        named = ITEM.match(item)
        if named is None:
            out.append(f"    * {escape(item)}")
        elif section == "Raises":
            out.append(f"    * :py:exc:`{named[1]}` -- {escape(named[2])}")
        else:
            out.append(f"    * **{named[1]}** -- {escape(named[2])}")
        out.append("")
    return out


def convert(lines: list[str]) -> list[str]:
    out, section, body, literal = [], None, [], False
    for line in [*lines, "End:"]:
        heading = line.rstrip(":") if line.endswith(":") and line.rstrip(":") in (*SECTIONS, "End") else None
        if heading is not None:
            if section is not None:
                out += rendered(section, body)
            section, body, literal = heading, [], False
        elif section is not None and (line.startswith(" ") or not line.strip()):
            body.append(line)
        else:
            if section is not None:
                out += [*rendered(section, body), ""]
                section, body = None, []
            if literal and line.strip() and not line.startswith(" "):
                literal = False
            out.append(line if literal else escape(line))
            literal = literal or line.rstrip().endswith("::")
    return [*out, ""]


def process(app, what, name, obj, options, lines):
    lines[:] = convert(lines)


def skip(app, what, name, obj, skip, options):
    """Leave out the fields of named tuples, which the docstrings of the classes describe."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True}
