"""The plots of docs/benchmarks.md, as SVG and PNG."""

import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "greenlet"  # the same file from the same figures

from matplotlib import pyplot

OURS, REFERENCE, OTHER = "#1f6f8b", "#d1495b", "#8d99ae"
PACKAGES = (("ours", "this package", OURS), ("reference", "reference", REFERENCE))


# What a line is called, its colour and style, and its points.
Line = tuple[str, str, str, dict[int, float]]


def draw(everything: list[dict], folder: Path) -> None:
    """*everything*: what results.stored() returns."""
    folder.mkdir(parents=True, exist_ok=True)
    of_all = {"switching": _switch_against_depth, "spawning": _spawn}
    of_one = {
        "numbers": _switch_against_number,
        "rings": _ring_against_number,
        "sizes": _memory_against_number,
        "collections": _collection_against_number,
        "memory": _memory,
    }
    for group, plot in (of_all | of_one).items():
        if having := [measured for measured in everything if group in measured["groups"]]:
            one = max(having, key=lambda measured: len(measured["groups"]))
            plot(having if group in of_all else one, folder)


def _figure(width: float = 7.2, height: float = 4.0):
    figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _save(figure, folder: Path, name: str) -> None:
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    figure.savefig(folder / f"{name}.png", dpi=144, metadata={"Software": None})
    pyplot.close(figure)


def _short(measured: dict) -> str:
    return ".".join(measured["python"].split(".")[:2])


def _switch_against_depth(everything: list[dict], folder: Path) -> None:
    figure, axes = _figure()
    for measured in everything:
        points = []
        for row in measured["groups"]["switching"]["content"]:
            if match := re.fullmatch(r"switch, (\d+) Python frames? deep", row["title"]):
                points.append((int(match[1]), row["ours"]["median"], row["reference"]["median"]))
        points.sort()
        depths = [point[0] for point in points]
        for column, (_, name, colour) in enumerate(PACKAGES, start=1):
            axes.plot(
                depths,
                [point[column] for point in points],
                "o-",
                markersize=3.5,
                linewidth=1.4,
                color=colour,
                alpha=0.8,
            )
        axes.annotate(
            _short(measured),
            (depths[-1], points[-1][2]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=REFERENCE,
        )
    for _, name, colour in PACKAGES:
        axes.plot([], [], "o-", color=colour, label=name)
    axes.set(
        yscale="log",
        xlabel="Python frames that the greenlet is deep",
        ylabel="ns, one way",
        title=f"Time of a switch, CPython {', '.join(map(_short, everything))}",
    )
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False)
    _save(figure, folder, "switch-against-depth")


def _against_number(folder: Path, name: str, lines: list[Line], yscale: str = "log", **labels: str) -> None:
    figure, axes = _figure()
    for label, colour, style, points in lines:
        if points:
            axes.plot(
                sorted(points),
                [points[number] for number in sorted(points)],
                style,
                markersize=3.5,
                linewidth=1.4,
                color=colour,
                label=label,
            )
    axes.set(xscale="log", yscale=yscale, xlabel="number of greenlets", **labels)
    if yscale == "linear":
        axes.set_ylim(bottom=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,.0f}")
    if len(lines) > 3:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    else:
        axes.legend(frameon=False)
    _save(figure, folder, name)


def _lines(measured: dict, group: str, *others: tuple[str, str, str], unit: float = 1) -> list[Line]:
    """Medians by number of both packages, and of *others*."""
    content = measured["groups"][group]["content"]
    return [
        (
            name,
            colour,
            "o-",
            {int(n): figures[side]["median"] / unit for n, figures in content.items() if side in figures},
        )
        for side, name, colour in (*PACKAGES, *others)
    ]


def _switch_against_number(measured: dict, folder: Path) -> None:
    _against_number(
        folder,
        "switch-against-number",
        _lines(measured, "numbers", ("generators", "generator.__next__()", OTHER)),
        ylabel="ns, there and back",
        title=f"A switch there and back in random order, CPython {measured['python']}",
    )


def _ring_against_number(measured: dict, folder: Path) -> None:
    _against_number(
        folder,
        "ring-against-number",
        _lines(measured, "rings", ("go", "Go, runtime.Gosched()", OTHER)),
        ylabel="ns, one way",
        title=f"A switch around a ring, CPython {measured['python']}",
    )


def _collection_against_number(measured: dict, folder: Path) -> None:
    _against_number(
        folder,
        "collection-against-number",
        _lines(measured, "collections", ("generators", "generators, yield from", OTHER), unit=1e6),
        ylabel="ms",
        title=f"A full collection, all 30 frames deep, CPython {measured['python']}",
    )


def _memory_against_number(measured: dict, folder: Path) -> None:
    rows = measured["groups"]["sizes"]["content"]
    lines = []
    for side, name, colour in (*PACKAGES, ("go", "Go", OTHER)):
        for frames in sorted({row["frames"] for row in rows}):
            points = {
                row["count"]: row["resident"] + row["page tables"]
                for row in rows
                if (row["side"], row["frames"]) == (side, frames)
            }
            lines.append((f"{name}, {frames} deep", colour, "o--" if frames == 1 else "o-", points))
    _against_number(
        folder,
        "memory-against-number",
        lines,
        yscale="linear",
        ylabel="bytes, page tables included",
        title=f"One that waits, CPython {measured['python']}",
    )


def _bars(axes, labels: list[str], series: list[tuple[str, str, list[float]]], form: str) -> None:
    """Draw groups of bars, side by side, each with its value."""
    width = 0.8 / len(series)
    for number, (name, colour, values) in enumerate(series):
        places = [place + (number - (len(series) - 1) / 2) * width for place in range(len(labels))]
        drawn = axes.bar(places, values, width * 0.94, label=name, color=colour)
        axes.bar_label(drawn, [format(value, form) for value in values], fontsize=8, padding=2)
    axes.set_xticks(range(len(labels)), labels)
    axes.legend(frameon=False)


def _spawn(everything: list[dict], folder: Path) -> None:
    figure, axes = _figure()
    rows = [
        next(row for row in measured["groups"]["spawning"]["content"] if row["title"] == "create, run and die")
        for measured in everything
    ]
    _bars(
        axes,
        [measured["python"] for measured in everything],
        [(name, colour, [row[side]["median"] for row in rows]) for side, name, colour in PACKAGES],
        ",.0f",
    )
    axes.set(yscale="log", ylabel="ns", title="Create a greenlet, run a function in it, finish")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    _save(figure, folder, "spawn")


def _memory(measured: dict, folder: Path) -> None:
    figure, axes = _figure()
    rows = [row for row in measured["groups"]["memory"]["content"]["parked"] if row["frames"] == 1]
    most = max(row["count"] for row in rows)
    rows = [row for row in rows if row["count"] == most]
    labels = [f"this package,\nstacks of {row['stack']} KiB" if row["stack"] else "reference" for row in rows]
    colours = [OURS if row["stack"] else REFERENCE for row in rows]
    resident = [row["resident"] for row in rows]
    tables = [row["page tables"] for row in rows]
    axes.bar(labels, resident, 0.6, color=colours)
    drawn = axes.bar(labels, tables, 0.6, bottom=resident, color=OTHER, label="page tables")
    axes.bar_label(drawn, [f"{low:,.0f} + {high:,.0f}" for low, high in zip(resident, tables)], fontsize=8, padding=2)
    axes.legend(frameon=False)
    axes.set(ylabel="bytes", title=f"A parked greenlet, of {most:,}, on CPython {measured['python']}")
    _save(figure, folder, "memory")
