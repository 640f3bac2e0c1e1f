"""Words that several texts share."""


def count(number: int, name: str, plural: str = "s") -> str:
    """Return a number and what it counts, such as "1,000 greenlets"."""
    return f"{number:,} {name}{'' if number == 1 else plural}"
