"""Nested containers, as deep as a case needs."""

MOST = 20_000


def nested_list(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def nested_tuple(depth):
    value = ()
    for _ in range(depth):
        value = (value,)
    return value


def level_of(value):
    """Return how deeply a list is nested."""
    level = 0
    while value:
        value, level = value[0], level + 1
    return level
