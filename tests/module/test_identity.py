"""The identity of the package: `python -m greenlet`, the version, and the view of installers and profilers."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.environment import HAS_ADDRESS_SANITIZER, IS_DEBUG_BUILD, IS_WINDOWS, ROOT, RUNS_UNDER_VALGRIND

import greenlet
from greenlet import _greenlet
from greenlet.__main__ import SWITCHES


def about(*arguments, options=(), **environment):
    cleared = {name: value for name, value in os.environ.items() if not name.startswith("GREENLET_")}
    done = subprocess.run(
        [sys.executable, *options, "-m", "greenlet", *arguments],
        env={**cleared, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_implementation_is_how_to_ask():
    assert greenlet.implementation == "stackful"
    assert "implementation" in greenlet.__all__


def test_one_version_everywhere():
    assert greenlet.__version__ == importlib.metadata.version("greenlet")
    assert about()[0].startswith(f"greenlet     {greenlet.__version__}, implementation 'stackful'\n")
    page = ROOT / "CHANGELOG.md"
    assert f"## {greenlet.__version__} " in page.read_text()


def test_no_3x_release_of_the_reference_is_an_upgrade_and_playwright_accepts_it():
    version = tuple(map(int, greenlet.__version__.split(".")))
    assert (3, 99, 99) < version < (4,)


def test_it_says_that_it_is_not_the_reference():
    assert "is not PyPI's greenlet" in about()[0]
    assert "independent implementation" in importlib.metadata.metadata("greenlet")["Summary"]
    assert importlib.metadata.metadata("greenlet").get_all("Project-URL") is None


def test_json_has_the_facts():
    output, errors = about("--json")
    assert errors == ""
    found = json.loads(output)
    assert found["version"] == found["installed_version"] == greenlet.__version__
    assert found["file"] == _greenlet.__file__ and found["executable"] == sys.executable
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["stack_size"] == found["default_stack_size"] >= 128 << 10
    assert found["slot_size"] >= found["stack_size"] + found["guard_size"]
    assert found["guards"] in ("MADV_GUARD_INSTALL", "mprotect")
    assert found["switch"] in SWITCHES
    names = ("GREENLET_STACK_SIZE", "GREENLET_REPORT_STACK_OVERFLOW", "GREENLET_DUMP_ON_SIGNAL")
    assert found["environment"] == dict.fromkeys(names)


def test_the_environment_is_explained():
    output, errors = about(GREENLET_STACK_SIZE="4M", GREENLET_REPORT_STACK_OVERFLOW="maybe", options=["-W", "ignore"])
    assert errors == ""
    assert "stack        4 MiB each, set by GREENLET_STACK_SIZE\n" in output
    assert "GREENLET_STACK_SIZE='4M', which is used\n" in output
    assert "GREENLET_REPORT_STACK_OVERFLOW='maybe', which is not understood and ignored\n" in output


@pytest.mark.skipif(IS_WINDOWS, reason="there is no ulimit")
@pytest.mark.parametrize("limit, size", [("2048", "2 MiB"), ("131072", "64 MiB")])
def test_the_size_follows_the_limit_for_threads(limit, size):
    hard = subprocess.run(
        ["bash", "-c", f"ulimit -s {limit} && {sys.executable} -m greenlet"],
        capture_output=True,
        text=True,
        timeout=60,
        env={name: value for name, value in os.environ.items() if not name.startswith("GREENLET_")},
    )
    if "cannot modify limit" in hard.stderr:
        pytest.skip("this process may not have a stack so large")
    assert f"stack        {size} each, from the limit for threads (ulimit -s: {int(limit) >> 10} MiB)" in hard.stdout


@pytest.mark.skipif(not IS_WINDOWS, reason="the text is of another system")
def test_it_speaks_of_what_windows_has():
    output = about()[0]
    assert re.search(r"from the limit for threads \(python\.exe: [\d,]+ \w+\) and the available memory\n", output)
    assert "memory       stacks count as they grow; pages of 4 KiB\n" in output


def test_a_package_installed_over_this_one_is_noticed(tmp_path):
    package = tmp_path / "greenlet"
    shutil.copytree(Path(greenlet.__file__).parent, package)
    other = tmp_path / "greenlet-3.5.6.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: greenlet\nVersion: 3.5.6\n")
    assert "pip has greenlet 3.5.6 on record" in about(PYTHONPATH=str(tmp_path))[0]


@pytest.mark.skipif(
    HAS_ADDRESS_SANITIZER or RUNS_UNDER_VALGRIND or IS_DEBUG_BUILD, reason="that build is made for debugging"
)
def test_the_symbol_table_is_there_and_debug_sections_are_not():
    if shutil.which("readelf") is None:
        pytest.skip("there is no readelf")
    sections = subprocess.run(["readelf", "-SW", _greenlet.__file__], capture_output=True, text=True, timeout=60).stdout
    assert ".symtab" in sections
    # The section that names the commands for gdb has some hundred bytes.
    assert ".debug" not in sections.replace(".debug_gdb_scripts", "")
