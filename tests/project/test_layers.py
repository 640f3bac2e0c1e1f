"""The source has one direction: a file includes only files of its own floor and of lower floors, and core links without
the layers above it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.environment import ROOT

SOURCE = ROOT / "src"
pytestmark = pytest.mark.skipif(not SOURCE.is_dir(), reason="needs the source tree")

# From the bottom to the top. A folder may include those before it, but not those on the same floor.
FOLDERS = ["stackful", "interpreter", "core|python", "coroutines", "stackless|generators|aio", "module"]

# Within core, by the name of a file without its ending.
CORE = [
    "module_state|layer|reference|raise",
    "greenlet|notes|thread|parent|settings|gc_root|message",
    "describe|shortage|overflow|create",
    "ring|transfer|hooks",
    "start|finish",
    "kill",
    "switch|collect|coroutine|thread_stack|thread_end",
]

# Within interpreter, by the path of a file without its ending.
INTERPRETER = [
    "versions/cpython",
    "versions/c_recursion|versions/current_frame|thread_state|collector|allocation|modules|pending_exception"
    "|native_coroutine|asyncio_task|static_type|frames/call_in_progress"
    "|threading/lock|threading/critical_sections|threading/shared_count|threading/shared_value",
    "versions/calls_3_11|versions/calls_3_13|versions/calls_3_14|context|threading/threads",
    "versions/calls",
    "frames/link|frames/frame",
    "state|frames/value_stack|frames/value_stack_3_11|frames/value_stack_3_14",
    "frames/visit|frames/abandon|frames/frame_object|frames/monitoring|frames/early_release|handled_exception",
    "prepare",
]

# Within stackless, by the name of a file or folder in it.
STACKLESS = [
    "lock|outcome|ring",
    "hooks",
    "tasklet|state",
    "channel|runnable|refusal",
    "scheduler",
    "ownership|describe|watchdog",
    "run",
    "waiting|arrival",
    "turn",
    "body|contexts|operations|rendezvous",
    "thread_life",
    "types|functions",
    "layer",
]

# Exceptions: functions that are declared on a lower floor than the one they need.
UPWARD = {
    "src/stackless/hooks.cpp": {"stackless/scheduler.hpp"},  # finds the current tasklet
    "src/core/parent.cpp": {"core/describe.hpp", "core/thread_stack.hpp"},  # the message of a refusal
    "src/core/thread.cpp": {"core/create.hpp", "core/shortage.hpp"},  # a thread's main greenlet; no room for a stack
    "src/core/coroutine/hooks.cpp": {"core/coroutine/coroutine.hpp"},  # the definition of a coroutine
}


def floor_of(name, floors):
    found = [number for number, names in enumerate(floors) if name in names.split("|")]
    return found[0] if found else None


def name_within_folder(path):
    return path.relative_to(path.parts[0]).with_suffix("").as_posix()


def includes():
    """Return pairs of a file and a header of the source that it includes, such as core/thread.hpp."""
    for path in sorted(SOURCE.rglob("*.[ch]pp")):
        for included in re.findall(r'^#include "(\w+/[\w/.]+)"', path.read_text(), re.MULTILINE):
            yield path.relative_to(SOURCE), Path(included)


def runs_up(path, included):
    folders = path.parts[0], included.parts[0]
    if folders[0] != folders[1]:
        above, below = (floor_of(folder, FOLDERS) for folder in folders)
        return above <= below
    if folders[0] == "core":
        above, below = (floor_of(file.stem, CORE) for file in (path, included))
    elif folders[0] == "interpreter":
        above, below = (floor_of(name_within_folder(file), INTERPRETER) for file in (path, included))
    elif folders[0] == "stackless":
        above, below = (floor_of(Path(file.parts[1]).stem, STACKLESS) for file in (path, included))
    else:
        return False
    return above < below and str(included) not in UPWARD.get(f"src/{path}", ())


def test_each_file_of_stackless_has_its_floor():
    names = {
        path.relative_to(SOURCE / "stackless").parts[0].split(".")[0]
        for path in (SOURCE / "stackless").rglob("*.[ch]pp")
    }
    assert names == set("|".join(STACKLESS).split("|"))


def test_each_folder_and_each_file_of_core_and_interpreter_has_its_floor():
    assert all(floor_of(path.parts[0], FOLDERS) is not None for path, _ in includes())
    missing = {path.stem for path in (SOURCE / "core").rglob("*.[ch]pp") if floor_of(path.stem, CORE) is None}
    assert missing == set()
    paths = (path.relative_to(SOURCE) for path in (SOURCE / "interpreter").rglob("*.[ch]pp"))
    assert set(map(name_within_folder, paths)) == {name for names in INTERPRETER for name in names.split("|")}


def test_no_include_runs_up():
    assert [f"{path} includes {included}" for path, included in includes() if runs_up(path, included)] == []


def test_what_is_permitted_is_needed():
    used = {(f"src/{path}", str(included)) for path, included in includes()}
    assert [
        (path, included) for path, names in UPWARD.items() for included in names if (path, included) not in used
    ] == []


def test_one_that_runs_up_is_noticed():
    assert runs_up(Path("core/thread.hpp"), Path("module/module.hpp"))
    assert runs_up(Path("aio/aio.hpp"), Path("generators/object.hpp"))
    assert runs_up(Path("core/greenlet.hpp"), Path("core/kill.hpp"))
    assert runs_up(Path("stackless/turn.cpp"), Path("stackless/body.hpp"))
    assert not runs_up(Path("aio/aio.hpp"), Path("coroutines/object.hpp"))


def test_only_the_public_header_is_outside():
    assert [path.name for path in (SOURCE.parent / "include").iterdir()] == ["greenlet.h"]


# The build of `python -m tools environment ours` for this interpreter: a CMake target for each layer, with the layers
# that it may use.
BUILT = Path(sys.prefix).parent / "cmake"
USES = {
    "interpreter": [],
    "core": ["interpreter"],
    "python": ["interpreter"],
    "coroutines": ["interpreter", "core", "python"],
    "generators": ["interpreter", "core", "python", "coroutines"],
    "aio": ["interpreter", "core", "python", "coroutines"],
    "stackless": ["interpreter", "core", "python"],
}
# gcc-nm can read objects for link-time optimization.
NM = shutil.which("gcc-nm") or shutil.which("nm")
OURS = re.compile(r"\b(?:stackful|interpreter|core|python|coroutines|generators|aio|stackless|module)(?:::|_)")


def symbols(layer, *, defined):
    """Return the symbols of this project that the objects of a layer define, or need."""
    files = [str(path) for path in (BUILT / f"CMakeFiles/{layer}.dir").rglob("*.o")]
    if defined:
        files.append(str(BUILT / "src/stackful/libstackful.a"))
    choice = "--defined-only" if defined else "--undefined-only"
    listed = subprocess.run([NM, "--demangle", choice, *files], check=True, capture_output=True, text=True).stdout
    names = re.findall(r"^(?:[0-9a-f]+)? +\w (.+)$", listed, re.MULTILINE)
    return {name for name in names if OURS.search(name)}


@pytest.mark.skipif(not (BUILT / "CMakeFiles/core.dir").is_dir(), reason="needs the objects of a build in build/")
@pytest.mark.skipif(NM is None, reason="needs nm")
@pytest.mark.parametrize("layer", USES)
def test_a_layer_links_with_those_below_it_alone(layer):
    own = symbols(layer, defined=True)
    below = set().union(*(symbols(each, defined=True) for each in USES[layer]))
    needed = symbols(layer, defined=False)
    assert own
    assert sorted(needed - own - below) == []
