"""The benchmarks measure what they say, and their page tells what was measured and no more."""

import importlib
import shutil
import sys

import pytest
from support.environment import ROOT

import greenlet


@pytest.fixture
def module(monkeypatch):
    """A module of the folder of the benchmarks, by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


def figure(median):
    return {"median": median, "low": median, "spread": 0.0}


def measured(**groups):
    versions = {"ours": {"greenlet": "1"}, "reference": {"greenlet": "2"}}
    contents = {name: {"date": "2026-01-01", "content": content} for name, content in groups.items()}
    return {"python": "3.13.0", "versions": versions, "groups": contents}


SIZES = [
    {"side": side, "count": 10_000, "frames": 30, "resident": resident, "page tables": 1_000}
    for side, resident in (("ours", 4_000), ("reference", 11_000), ("go", 3_000))
]
FIGURES = {"10000": {"ours": figure(200.0), "reference": figure(1000.0), "generators": figure(50.0)}}
SENTENCE = "10,000 connections, each a greenlet that waits 30 Python frames deep, "


def test_page_of_results_without_rows_by_number(module):
    page = module("report").page([measured(threads={"one": figure(2.0), "two": figure(1.0)})])
    assert "2.00 times as many" in page
    assert "By number" not in page


def test_page_of_results_that_have_only_the_switch_by_number(module):
    page = module("report").page([measured(numbers=FIGURES)])
    assert "| 10,000 | 200.0 ns | 1.00 µs | 0.20 | 50.0 ns | 4.00 |" in page
    assert "Go" not in page
    assert SENTENCE not in page


def test_page_of_a_ring_beside_go(module):
    rings = {"1000": {"ours": figure(50.0), "reference": figure(200.0), "go": figure(100.0)}}
    page = module("report").page([measured(rings=rings, go={"version": "1.19.8"})])
    assert "| 1,000 | 50.0 ns | 200.0 ns | 0.25 | 100.0 ns | 0.50 |" in page
    assert "Go is 1.19.8." in page


def test_page_says_why_go_is_left_out(module):
    rings = {"1000": {"ours": figure(50.0), "reference": figure(200.0)}}
    page = module("report").page([measured(rings=rings, go={"missing": "there is none"})])
    assert "| 1,000 | 50.0 ns | 200.0 ns | 0.25 |" in page
    assert "Go is left out: there is none." in page


def test_page_says_what_connections_cost(module):
    page = module("report").page([measured(numbers=FIGURES, sizes=SIZES, collections=FIGURES)])
    sentence = next(line for line in page.replace("\n", " ").split("## ") if SENTENCE in line)
    assert "take 50 MB (reference 120 MB, Go 40 MB)" in sentence
    assert "cost 200.0 ns (reference 1.00 µs) for a switch to one of them and back" in sentence


def test_page_has_a_table_of_threads_for_each_free_threaded_interpreter(module):
    sides = {
        f"{kind}, {threads}": figure(100.0 / threads) for kind in ("greenlets", "generators") for threads in (1, 2)
    }
    page = module("report").page([measured(**{"thread-numbers": {"10": sides}})])
    assert "| 10 | 100.0 ns | 50.0 ns | 2.00 | 100.0 ns | 50.0 ns | 2.00 |" in page


def test_ring_goes_from_each_to_the_next_and_back_to_the_main_greenlet(module):
    loop = module("suite.numbers").ring(3)
    switches = []
    greenlet.settrace(lambda event, sides: switches.append(sides))
    try:
        loop(2)
    finally:
        greenlet.settrace(None)
    origins, targets = zip(*switches)
    assert origins[1:] == targets[:-1]
    assert targets[3] is targets[7] is greenlet.getcurrent()
    assert targets[:4] == targets[4:]
    assert len(set(targets)) == 4


def test_turns_give_each_greenlet_one(module, monkeypatch):
    gevent = pytest.importorskip("gevent")
    taken = []
    sleep = gevent.sleep

    def counting(seconds):
        taken.append(gevent.getcurrent())
        sleep(seconds)

    monkeypatch.setattr(gevent, "sleep", counting)
    crowds = module("suite.crowds")
    loop = crowds.turns(10, 5)
    loop(2)  # they start
    taken.clear()
    loop(3)
    assert len(taken) == 3 * 11
    assert all(taken.count(each) == 3 for each in taken)
    gevent.killall([each for each in set(taken) if each is not gevent.getcurrent()])


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("numbers", "one way around a ring of 10 greenlets"),
        ("numbers", "there and back among 10 greenlets of its own, threads: 2"),
        ("numbers", "there and back among 10 generators of its own, threads: 1"),
        ("crowds", "full collection, 1,000 greenlets, 30 deep"),
        ("crowds", "full collection, 1,000 generators, 30 deep"),
        ("crowds", "gevent sleep(0), 20 frames deep, 1,000 greenlets"),
    ],
)
def test_row_by_number_can_be_measured(module, name, title):
    if "gevent" in title:
        pytest.importorskip("gevent")
    compare = module("suite.compare")
    worker = compare.Worker(compare.row(sys.executable, name, title), 0.01)
    try:
        assert worker.sample() > 0
    finally:
        worker.end()


def test_first_walk_sees_all_frames(module):
    compare = module("suite.compare")
    assert compare.printed_by(compare.call(sys.executable, "crowds", "first_walk", 10, 5)) > 0


def test_every_group_is_one_that_can_be_measured(module):
    run = module("run")
    by_number = module("suite.by_number")
    compared = ("switching", "spawning", "clients")
    for group in run.GROUPS + run.GROUPS_WITHOUT_GIL:
        assert group in compared or group in by_number.GROUPS or callable(getattr(run.Run, group)), group
    assert set(run.GROUPS_QUICK) | set(run.GROUPS_ELSEWHERE) <= set(run.GROUPS)


def test_other_interpreters_are_those_found_but_debug_builds_and_this_one(module, monkeypatch):
    run = module("run")
    this = f"{sys.version_info.major}.{sys.version_info.minor}{'t' if 't' in sys.abiflags else ''}"
    others = ["3.9", "3.9t"]
    found = [
        module("tools.interpreters").Interpreter(name, 0, "", ("python",))
        for name in (this, f"{this}-dbg", "3.9-dbg", *others)
    ]
    monkeypatch.setattr(module("tools.interpreters"), "find", lambda: found)
    assert [each.name for each in run.other_interpreters()] == others


def test_the_interpreter_of_the_tables_measures_every_group(module):
    run = module("run")
    assert run.groups_on("3.13", "3.13") == run.GROUPS
    assert run.groups_on("3.11", "3.13") == run.GROUPS_ELSEWHERE
    assert run.groups_on("3.13t", "3.13") == run.GROUPS_WITHOUT_GIL


def test_go_is_left_out_where_it_can_not_be_installed(module, monkeypatch):
    go = module("suite.go")
    go.program.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda command: None)
    with pytest.raises(module("suite").Unavailable, match="Go is not installed"):
        go.program()


@pytest.mark.skipif(not shutil.which("go"), reason="Go is not installed")
def test_goroutines_are_measured_as_rows_are(module):
    compare = module("suite.compare")
    go = module("suite.go")
    for command in (go.ring(10), go.lives()):
        worker = compare.Worker(command, 0.01)
        try:
            assert worker.sample() > 0
            assert worker.sample() > 0
        finally:
            worker.end()
    found = compare.printed_by(go.parked(1_000, 30))
    assert found["resident"] > 2_000  # its stack has 2 KiB or more
