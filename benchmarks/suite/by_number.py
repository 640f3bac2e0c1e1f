"""Measures what greenlets cost by their number: a function for each group, which takes benchmarks/run.py's Run."""

from suite import Unavailable, compare, crowds, go, numbers
from suite.environments import OURS

GO, GENERATORS = "go", "generators"
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
SIZES_FRAMES = (1, crowds.FRAMES)
LIFE = "create, run and die"
WALKS = 9  # processes of each side

Sides = dict[str, compare.Command]


def both(run, module: str, title: str) -> Sides:
    return {side: compare.row(python, module, title) for side, python in run.pythons.items()}


def say_heading(run, what: str) -> None:
    run.progress.say(f"\n{what}")


def say_figures(run, what: str, figures: dict[str, compare.Figure]) -> None:
    ours = figures[OURS].median
    others = (
        f", {side} {compare.nanoseconds(figure.median)} ({ours / figure.median:.2f})"
        for side, figure in figures.items()
        if side != OURS
    )
    run.progress.say(f"{what:>8} {compare.nanoseconds(ours):>12}{''.join(others)}")


def with_go(run) -> bool:
    """Returns whether goroutines can be measured. Keeps the version of Go, or why they can't."""
    try:
        go.program()
    except Unavailable as reason:
        run.progress.say(f"without Go: {reason}")
        run.keep("go", {"missing": str(reason)})
        return False
    run.keep("go", {"version": go.version()})
    return True


def measure_numbers(run, what: str, by_number: dict[int, Sides], effort: compare.Effort) -> dict:
    """The figures of each number that can be measured."""
    measured = {}
    for number, sides in by_number.items():
        if figures := run.attempt(f"{what}, {number:,}", lambda: compare.alternate(sides, effort)):
            measured[number] = figures
            say_figures(run, f"{number:,}", figures)
    return measured


def there_and_back(run) -> None:
    say_heading(run, "There and back among many in random order, ns (in brackets: of its time)")
    by_number = {}
    for number in numbers.QUICK if run.quick else numbers.NUMBERS:
        by_number[number] = both(run, "numbers", numbers.title("greenlets", number)) | {
            GENERATORS: compare.row(run.pythons[OURS], "numbers", numbers.title("generators", number))
        }
    effort = compare.WARM_QUICK if run.quick else compare.WARM
    run.keep("numbers", measure_numbers(run, "there and back", by_number, effort))


def rings(run) -> None:
    say_heading(run, "One way around a ring, ns (in brackets: of its time)")
    is_go_there = with_go(run)
    by_number = {}
    for number in numbers.RINGS:
        by_number[number] = both(run, "numbers", numbers.ring_title(number))
        if is_go_there:
            by_number[number][GO] = go.ring(number)
    run.keep("rings", measure_numbers(run, "ring", by_number, compare.WARM))


def lives(run) -> None:
    sides = both(run, "spawning", LIFE)
    if with_go(run):
        sides[GO] = go.lives()
    if figures := run.attempt(LIFE, lambda: compare.alternate(sides, compare.FULL)):
        say_heading(run, "Create, run and die, ns (in brackets: of its time)")
        say_figures(run, "", figures)
        run.keep("lives", figures)


def sizes(run) -> None:
    say_heading(run, "Bytes of a parked greenlet, with page tables")
    is_go_there = with_go(run)
    rows = []
    for number in SIZES:
        for frames in SIZES_FRAMES:
            sides = {
                side: compare.call(python, "memory", "parked", number, frames) for side, python in run.pythons.items()
            }
            if is_go_there:
                sides[GO] = go.parked(number, frames)
            for side, command in sides.items():
                found = run.attempt(f"{number:,} parked", lambda: compare.printed_by(command))
                if found is not None:
                    each = {key: found[key] for key in ("resident", "page tables")}
                    rows.append({"side": side, "count": number, "frames": frames} | each)
                    run.progress.say(f"{number:>8,}, {frames:>2} frames deep, {side:10} {sum(each.values()):>8,.0f}")
    run.keep("sizes", rows)


def collections(run) -> None:
    say_heading(run, f"A full collection, parked {crowds.FRAMES} frames deep, ns (in brackets: of its time)")
    by_number = {}
    for number in crowds.COLLECTED:
        title = crowds.collection_title("generators", number)
        by_number[number] = both(run, "crowds", crowds.collection_title("greenlets", number)) | {
            GENERATORS: compare.row(run.pythons[OURS], "crowds", title)
        }
    run.keep("collections", measure_numbers(run, "collection", by_number, compare.WARM))


def turns(run) -> None:
    say_heading(run, f"gevent sleep(0), {crowds.FRAMES_OF_TURNS} frames deep, ns (in brackets: of its time)")
    by_number = {number: both(run, "crowds", crowds.turns_title(number)) for number in crowds.TAKING_TURNS}
    run.keep("turns", measure_numbers(run, "gevent sleep(0)", by_number, compare.WARM))


def walks(run) -> None:
    what = f"first walk over the frames of {crowds.WALKED:,}"
    sides = {
        side: compare.call(python, "crowds", "first_walk", crowds.WALKED, crowds.FRAMES)
        for side, python in run.pythons.items()
    }
    if figures := run.attempt(what, lambda: compare.alternate_once(sides, WALKS)):
        say_heading(run, f"{what.capitalize()}, {crowds.FRAMES} deep each, ns a frame (in brackets: of its time)")
        say_figures(run, "", figures)
        run.keep("walks", figures)


def threads(run) -> None:
    """There and back on a free-threaded interpreter, in one thread and in two at once."""
    python = run.pythons[OURS]
    say_heading(run, "There and back among many of each thread, ns, both threads together")
    measured = {}
    for number in numbers.NUMBERS:
        sides = {
            f"{kind}, {threads}": compare.row(python, "numbers", numbers.threads_title(kind, number, threads))
            for kind in ("greenlets", "generators")
            for threads in numbers.THREADS
        }
        what = f"threads, {number:,}"
        if figures := run.attempt(what, lambda: compare.alternate(sides, compare.LONG)):
            measured[number] = figures
            medians = (f"{side}: {compare.nanoseconds(figure.median)}" for side, figure in figures.items())
            run.progress.say(f"{number:>8,} {'; '.join(medians)}")
    run.keep("thread-numbers", measured)


GROUPS = {
    "numbers": there_and_back,
    "rings": rings,
    "lives": lives,
    "sizes": sizes,
    "collections": collections,
    "turns": turns,
    "walks": walks,
    "thread-numbers": threads,
}
