"""Text engines: regex, RE2, ICU."""

from case import as_deep, case, pypi
from journal import deepest, step

REGEX = pypi("regex")
PYRE2 = pypi("pyre2")  # google-re2 has a module of the same name
ICU = pypi("icu4py")


def groups(compile_pattern, *errors):
    """Return how many nested groups can be compiled, matched and replaced."""

    def match(depth):
        pattern = compile_pattern("(?:a" * depth + ")?" * depth)
        assert pattern.search("b" + "a" * depth) and pattern.sub("", "a" * depth) == ""

    return deepest(match, 1000, *errors)


def backtracking(compile_pattern, *patterns):
    results = []
    for pattern in patterns:
        step(pattern)
        results.append(bool(compile_pattern(pattern).search("ab" * 20_000 + "c")))
    return results


@case(REGEX, same=as_deep)
def groups_of_regex():
    """Groups in groups, as deep as they go."""
    import regex

    return groups(regex.compile, regex.error)


@case(REGEX)
def recursive_patterns():
    """Patterns that call themselves, fuzzy ones, and 40,000 characters that backtrack."""
    import regex

    step("recursive")
    results = [regex.match(r"\((?:[^()]|(?R))*\)", "(" * 2000 + ")" * 2000).end()]
    step("fuzzy")
    results.append(bool(regex.search("(?:greenlet){e<=2}", "a greenlit thing")))
    return results + backtracking(
        regex.compile, "^(?:a|b)*c$", "^(?:(?:a|b)+)+c$", "(?<=(?:ab)*)c", r"^(\w\w)(?:\w|\1)*c$"
    )


@case(PYRE2, same=as_deep)
def groups_of_re2():
    """Groups in groups, to RE2's limit of 1,000."""
    import re2

    return groups(lambda pattern: re2.compile(pattern, max_mem=100 << 20), re2.error)


@case(PYRE2)
def patterns_of_re2():
    """Patterns on 40,000 characters, and repeats."""
    import re2

    return [
        re2.sub("(a|b)+", "x", "ab" * 20_000),
        *backtracking(re2.compile, "^(?:a|b)*c$", "^(?:(?:a|b)+)+c$", "(?:(?:a|b){20}){20}"),
    ]


@case(ICU)
def messages_and_breaks():
    """ICU formats messages with nested plurals, and finds the words of a text."""
    from icu4py.breakers import WordBreaker
    from icu4py.messageformat import MessageFormat

    pattern = "{n}"
    for _ in range(100):
        pattern = "{n, plural, one {one} other {" + pattern + "}}"
    step("message")
    results = [str(MessageFormat(pattern, "en_GB").format({"n": 7}))]
    step("words")
    return [*results, len(list(WordBreaker("some words in a text " * 1000, "en_GB")))]
