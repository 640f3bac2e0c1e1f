"""The page made from a recording, and `python -m greenlet trace`."""

import html
import json
import re
import shutil
import subprocess
import sys
import threading

import pytest
from support.processes import run_python

from greenlet import getcurrent, greenlet
from greenlet.inspect import page, record

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def trace(tmp_path):
    """A recording of three greenlets that take turns."""

    def worker_with_a_name_that_is_longer_than_a_telephone_is_wide():
        for _ in range(10):
            getcurrent().parent.switch()

    workers = [greenlet(worker_with_a_name_that_is_longer_than_a_telephone_is_wide) for _ in range(3)]
    path = tmp_path / "trace.json"
    with record(path):
        for _ in range(11):
            for worker in workers:
                worker.switch()
    return path


def made(trace):
    target = trace.with_suffix(".html")
    page(trace, target)
    return target.read_text(encoding="utf-8")


def table_rows(text):
    """Return the cells of the table of greenlets, without the longest runs."""
    table = text.partition("For how long")[2].partition("</table>")[0]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table)
    strip = re.compile(r"<[^>]*>").sub
    return [
        (strip("", name), *(strip("", cell) for cell in re.findall("<td>(.*?)</td>", cells))) for name, cells in rows
    ]


def with_slices(path, slices, *, lost=0, name="f"):
    """Write a recording with these slices: (greenlet, begin, duration)."""
    events = [{"ph": "X", "name": name, "pid": 1, "tid": g, "ts": at, "dur": took} for g, at, took in slices]
    events += [
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": g, "args": {"name": f"{name} #{g}"}}
        for g in {g for g, _, _ in slices}
    ]
    facts = {"program": "greenlet.inspect.record", "switches": len(slices), "lost": lost, "begin": 0, "complete": True}
    path.write_text(json.dumps({"traceEvents": events, "otherData": facts}))
    return path


def test_each_greenlet_has_a_lane_and_a_line(trace):
    text = made(trace)
    rows = table_rows(text)
    assert len(rows) == text.count("<svg") == 4
    main, *workers = sorted(rows)
    assert main[:2] == ("main greenlet #1", "33")
    assert all(re.search(r"longer_than_a_telephone_is_wide #[234]$", name) for name, *_ in workers)
    assert [switches for _, switches, *_ in workers] == ["11"] * 3


def test_times_and_shares(tmp_path):
    text = made(with_slices(tmp_path / "t.json", [(1, 0, 100_000), (2, 100_000, 300_000), (1, 400_000, 600_000)]))
    assert table_rows(text) == [
        ("f #1", "0", "700 ms", "70.0%", "600 ms"),
        ("f #2", "0", "300 ms", "30.0%", "300 ms"),
    ]
    assert "1.00 s" in text


def test_a_lane_shows_when_a_greenlet_ran(tmp_path):
    text = made(with_slices(tmp_path / "t.json", [(1, 0, 250), (2, 250, 750)]))
    first, second = re.findall(r"</title>(.*?)</svg>", text)
    assert first == '<path class="l4" d="M250 0h750v10h-750z"/>'
    assert re.fullmatch(r'(<path class="l1" d="M250 0h1v10h-1z"/>)?<path class="l4" d="M0 0h250v10h-250z"/>', second)


def test_a_run_that_is_shorter_than_a_column_is_visible(tmp_path):
    text = made(with_slices(tmp_path / "t.json", [(1, 0, 1e9), (2, 5e8, 0.001)]))
    assert '<path class="l1" d="M500 0h1v10h-1z"/>' in text


@pytest.mark.parametrize(
    ("duration", "labels"),
    [
        (1.0, ["0", "0.2 µs", "0.4 µs", "0.6 µs", "0.8 µs", "1 µs"]),
        (0.004, ["0", "1 ns", "2 ns", "3 ns", "4 ns"]),
        (4000, ["0", "1 ms", "2 ms", "3 ms", "4 ms"]),
        (2.5e6, ["0", "0.5 s", "1 s", "1.5 s", "2 s", "2.5 s"]),
        (3600e6, ["0", "1000 s", "2000 s", "3000 s"]),
    ],
)
def test_the_time_axis_has_units(tmp_path, duration, labels):
    text = made(with_slices(tmp_path / "t.json", [(1, 0, duration)]))
    axis = text.partition('class="row axis"')[2].partition("</div></div>")[0]
    assert re.findall(r'<span[^>]* style="left:[\d.]+%">(.*?)</span>', axis) == labels


def test_the_least_active_are_summed_up(tmp_path):
    slices = [(i, i * 10, 10 - i / 10) for i in range(1, 61)]
    rows = table_rows(made(with_slices(tmp_path / "t.json", slices)))
    assert [name for name, *_ in rows] == [*(f"f #{i}" for i in range(1, 51)), "10 other greenlets"]
    assert rows[-1][2] == "44.5 µs"


def test_names_are_text(tmp_path):
    name = "<script>alert('&\"')</script>"
    text = made(with_slices(tmp_path / "t.json", [(1, 0, 1)], name=name))
    assert html.escape(name) in text and "<script" not in text


def test_it_needs_nothing_else(trace):
    text = made(trace)
    assert not re.search(r"https?:|src=|@import|url\(|<link|<script", text)


def test_what_was_lost_is_said(tmp_path):
    text = made(with_slices(tmp_path / "t.json", [(1, 0, 1)], lost=12345))
    assert "12,345 older switches are lost" in text


def test_threads_have_colors(tmp_path):
    def run():
        greenlet(lambda: None).switch()

    path = tmp_path / "t.json"
    with record(path):
        thread = threading.Thread(target=run, name="A & B")
        thread.start()
        thread.join()
        run()
    text = made(path)
    assert "A &amp; B" in text.partition('class="key threads"')[2].partition("</p>")[0]
    assert {'svg class="c0"', 'svg class="c1"'} <= set(re.findall(r'svg class="c\d"', text))


def test_an_empty_recording(tmp_path):
    record(tmp_path / "t.json").stop()
    text = made(tmp_path / "t.json")
    assert "0 switches" in text and len(table_rows(text)) == 1


def test_a_recording_object(tmp_path):
    with record(tmp_path / "t.json") as recording:
        with pytest.raises(ValueError, match="running"):
            page(recording, tmp_path / "t.html")
    page(recording, tmp_path / "t.html")
    assert (tmp_path / "t.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"traceEvents": []}', '{"traceEvents": [{}], "otherData": {}}'])
def test_what_is_no_recording_is_refused(tmp_path, content):
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="t.json is not a recording"):
        page(path, tmp_path / "t.html")
    assert not (tmp_path / "t.html").exists()


# --- the command -----------------------------------------------------------------------------------------------------


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "greenlet", "trace", *map(str, arguments)], capture_output=True, text=True
    )


def test_the_command_makes_the_page(trace):
    done = command(trace)
    target = trace.with_suffix(".html")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{target}\n", "")
    assert target.read_text(encoding="utf-8") == made(trace)


def test_the_command_takes_the_name_of_the_page(trace, tmp_path):
    assert command(trace, "-o", tmp_path / "other").returncode == 0
    assert (tmp_path / "other").read_text(encoding="utf-8") == made(trace)


def test_the_command_reads_what_a_crash_has_left(tmp_path):
    run_python(f"""
        import os
        from greenlet import greenlet
        from greenlet.inspect import record
        record({str(tmp_path / "t.json")!r})
        greenlet(len).throw()
        os._exit(1)
    """)
    (ring,) = tmp_path.glob("*.ring")
    assert command(ring, "-o", tmp_path / "new.json").returncode == 0
    assert json.loads((tmp_path / "new.json").read_text(encoding="utf-8"))["otherData"]["switches"] == 2
    assert command(ring, "-o", tmp_path / "new.html").returncode == 0
    assert "The process ended before the recording did" in (tmp_path / "new.html").read_text(encoding="utf-8")


def test_the_command_says_what_is_wrong(tmp_path):
    done = command(tmp_path / "missing")
    assert done.returncode == 1 and "missing" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "text").write_text("text")
    done = command(tmp_path / "text")
    assert done.returncode == 1 and "is not a recording" in done.stderr


# --- in a browser ----------------------------------------------------------------------------------------------------

# Shows the page in a frame, which may be narrower than a window of the browser, and says in the title what came of it.
FRAME = """<!DOCTYPE html><title>not run</title><iframe style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe>
<script>onload = () => {{
const d = document.querySelector("iframe").contentDocument, lanes = [...d.querySelectorAll(".row svg")];
document.title = [d.documentElement.scrollWidth - d.documentElement.clientWidth, lanes.length, Math.min(...lanes.map(e => e.clientWidth)),
[...d.querySelectorAll(".name span")].every(e => e.getBoundingClientRect().right <= {width})].join(" ");
}}</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian's package chromium)")
@pytest.mark.parametrize(("width", "least_lane"), [(390, 345), (1200, 700)])
def test_it_fits_into_a_window(trace, tmp_path, width, least_lane):
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=width, page=html.escape(made(trace))))
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=5000",
            f"--screenshot={tmp_path / 'page.png'}",
            "--window-size=1300,900",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    title = re.search("<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stderr
    outside, lanes, lane, numbers_are_visible = title[1].split()
    assert (int(outside), int(lanes), numbers_are_visible) == (0, 4, "true")
    assert int(lane) >= least_lane
