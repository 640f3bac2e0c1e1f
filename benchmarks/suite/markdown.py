"""Markdown of docs/benchmarks.md: tables, and times as they are written there."""


def table(heads: list[str], rows: list[list[str]]) -> str:
    aligned = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, aligned, *rows]) + "\n"


def time_of(nanoseconds: float) -> str:
    if nanoseconds < 1_000:
        return f"{nanoseconds:.1f} ns"
    if nanoseconds < 1_000_000:
        return f"{nanoseconds / 1_000:.2f} µs"
    return f"{nanoseconds / 1_000_000:.2f} ms"
