"""The examples run, and do what they say."""

import pathlib
import re
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def output_of_example(name):
    done = subprocess.run([sys.executable, EXAMPLES / name], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_generators_of_recursion_and_of_callbacks():
    assert output_of_example("generators.py").splitlines() == [
        "in order: 1 2 3 4 5 6 7",
        "the first titles: ['Aristotle', 'Bede'], after 100 of 100060 bytes",
        "sorted by answers: a b c",
    ]


def test_a_blocking_database_driver_serves_a_web_application():
    output = output_of_example("blocking_database/main.py")
    took, worked = map(float, re.search(r"visitors at once: ([\d.]+) s, in which the database worked ([\d.]+) s", output).groups())
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
