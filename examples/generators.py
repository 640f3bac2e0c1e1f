"""Generators whose values come from any call depth, with greenlet.generators.

usage: python examples/generators.py
"""

import functools
import io
import xml.sax

from greenlet.generators import generator, yield_

# --- a recursive walk: no `yield from` at each level -----------------------------------------------------------------

TREE = (((None, 1, None), 2, (None, 3, None)), 4, ((None, 5, None), 6, (None, 7, None)))


def walk(tree):
    if tree is not None:
        left, label, right = tree
        walk(left)
        yield_(label)
        walk(right)


# --- callbacks: a parser in C calls back, and a `for` loop gets the values --------------------------------------------


class Titles(xml.sax.ContentHandler):
    """Yields the title of each book as soon as it is parsed."""

    def startElement(self, name, attributes):
        if name == "book":
            yield_(attributes["title"])


@generator
def titles(file):
    xml.sax.parse(file, Titles())


class SlowFile(io.BytesIO):
    """A file that returns few bytes at a time, like a network connection."""

    def read(self, size):
        return super().read(min(size, 100))


# --- a callback with answers: sorted() asks, the consumer of the generator decides -----------------------------------


@generator
def questions(items):
    """Yields pairs; the consumer sends whether the first is smaller. Returns the sorted list."""
    return sorted(items, key=functools.cmp_to_key(lambda a, b: -1 if yield_((a, b)) else 1))


def sort_by_asking(items, answer):
    asking = questions(items)
    try:
        question = next(asking)
        while True:
            question = asking.send(answer(*question))
    except StopIteration as end:
        return end.value


def main():
    print("in order:", *generator(walk)(TREE))

    text = b'<books><book title="Aristotle"/><book title="Bede"/>' + b" " * 100_000 + b"</books>"
    document = SlowFile(text)
    parsing = titles(document)
    first = [next(parsing), next(parsing)]
    print(f"the first titles: {first}, after {document.tell()} of {len(text)} bytes")
    parsing.close()

    print("sorted by answers:", *sort_by_asking("bca", lambda a, b: a < b))


if __name__ == "__main__":
    main()
