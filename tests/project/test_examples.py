"""The examples run, and print what they should."""

import doctest
import pathlib
import platform
import re
import subprocess
import sys

import pytest
from support.environment import PATIENCE, ROOT
from support.extensions import compile_extension, load

EXAMPLES = ROOT / "examples"


def output_of_example(name, *arguments):
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_generators_of_recursion_and_of_callbacks():
    assert output_of_example("generators.py").splitlines() == [
        "in order: 1 2 3 4 5 6 7",
        "the first titles: ['Aristotle', 'Bede'], after 100 of 100060 bytes",
        "sorted by answers: a b c",
    ]


def mappings_permitted():
    """Return the maximum number of mappings of a process. Each stack needs two up to Linux 6.12, and none later."""
    major, minor = map(int, platform.release().split(".")[:2])
    return sys.maxsize if (major, minor) >= (6, 13) else int(pathlib.Path("/proc/sys/vm/max_map_count").read_text())


def test_a_token_goes_around_a_ring_of_a_hundred_thousand_tasklets():
    size = min(100_000, mappings_permitted() // 3)
    assert output_of_example("stackless_ring.py", str(size), "2").splitlines()[:2] == [
        f"{size} tasklets wait, 1 runs",
        f"the token went through {2 * size} hands",
    ]


def test_producers_and_consumers():
    output = output_of_example("stackless_producers.py")
    _, turns, shared, ahead = (part.splitlines()[1:] for part in output.split("--- "))
    assert turns == [
        "alice makes 1",
        "    carol uses 1 of alice",
        "alice makes 2",
        "    carol uses 2 of alice",
        "alice makes 3",
        "    carol uses 3 of alice",
        "    carol ends",
    ]
    uses = [line.split(" uses ") for line in shared if " uses " in line]
    assert [who.strip() for who, _ in uses] == ["carol", "dave", "erin"] * 2
    assert sorted(item for _, item in uses) == sorted(f"{n} of {who}" for n in (1, 2, 3) for who in ("alice", "bob"))
    assert ahead[:3] == ["alice makes 1", "alice makes 2", "alice makes 3"]
    assert [line for line in ahead if "uses" in line] == [f"    carol uses {n} of alice" for n in range(1, 6)]


def test_a_blocking_database_driver_serves_a_web_application():
    output = output_of_example("blocking_database/main.py")
    took, worked = map(
        float, re.search(r"visitors at once: ([\d.]+) s, in which the database worked ([\d.]+) s", output).groups()
    )
    assert took < worked / 2
    assert "<p>30 visits; signed by visitor0, visitor1" in output
    assert "a page that takes too long: 504" in output
    assert output.endswith("and then: 404, 200\n")


@pytest.fixture
def database(monkeypatch):
    """The example's modules are imported from its folder."""
    monkeypatch.syspath_prepend(EXAMPLES / "blocking_database")
    from driver import Database
    from server import Server

    yield Database, Server
    for name in ("driver", "server"):
        del sys.modules[name]


def test_the_same_driver_works_with_blocking_sockets(database):
    Database, Server = database
    with Server() as server:
        db = Database(server.server_address)
        assert db.get("key") is None
        db.set("key", "value")
        assert db.get("key") == "value"
        assert [db.append("list", item) for item in "ab"] == [1, 2]
        assert list(db.items("list")) == ["a", "b"]
        db.close()


def test_the_c_extension_does_what_its_page_shows(tmp_path):
    """The source is compiled as tests/capi compiles its clients, and the lines of the page are run."""
    built = compile_extension(EXAMPLES / "c_extension" / "every.c", tmp_path)
    page = (ROOT / "docs/how-to/c-extension.md").read_text()
    dialogue = re.search(r"^```py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
    test = doctest.DocTestParser().get_doctest(dialogue, {}, "c-extension.md", None, 0)
    sys.modules["every"] = load(built)
    try:
        assert doctest.DocTestRunner(verbose=False).run(test).failed == 0
    finally:
        del sys.modules["every"]
