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
    "cycle_detector|transfer|hooks",
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
    "hooks|refusal",
    "tasklet|state",
    "channel|runnable|watchdog",
    "scheduler",
    "ownership|describe|tracing|contexts|frames",
    "runs",
    "active|waiting|arrival",
    "turn",
    "run|body|operations|rendezvous",
    "thread_end",
    "types|functions",
    "layer",
]

# Exceptions: functions that are declared on a lower floor than the one they need.
UPWARD = {
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


CLASS = re.compile(r"^(?:struct|class) (\w+) \{", re.MULTILINE)
MEMBER = re.compile(r"^[\w\[][^\n();=]*?(\w+)::~?\w+\([^;{]*\{", re.MULTILINE)


def members_defined_elsewhere(folder):
    """What defines a member of a class outside the source file of the class's header."""
    homes = {name: path.stem for path in folder.rglob("*.hpp") for name in CLASS.findall(path.read_text())}
    return [
        f"{path.name} defines a member of {name}"
        for path in sorted(folder.rglob("*.cpp"))
        for name in MEMBER.findall(path.read_text())
        if homes.get(name, path.stem) != path.stem
    ]


def test_members_are_defined_in_the_file_of_their_class():
    assert members_defined_elsewhere(SOURCE / "stackless") == []


def test_a_member_that_is_defined_elsewhere_is_noticed(tmp_path):
    (tmp_path / "scheduler.hpp").write_text("struct Scheduler {\n    void end(int number) noexcept;\n};\n")
    (tmp_path / "scheduler.cpp").write_text("void Scheduler::end(int number) noexcept {\n}\n")
    assert members_defined_elsewhere(tmp_path) == []
    (tmp_path / "turn.cpp").write_text("[[gnu::noinline]] void* Scheduler::go(int a,\n    int b) noexcept {\n}\n")
    (tmp_path / "body.cpp").write_text("void Scheduler::end(int number) noexcept {\n}\n")
    assert members_defined_elsewhere(tmp_path) == [
        "body.cpp defines a member of Scheduler",
        "turn.cpp defines a member of Scheduler",
    ]


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


# What `python -m tools environment ours` has built for this interpreter: a CMake target for each layer. USES names the
# layers that each may use.
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


needs_objects = pytest.mark.skipif(
    NM is None or not (BUILT / "CMakeFiles/core.dir").is_dir(), reason="needs nm and the objects of a build in build/"
)


def objects(layer):
    """The objects of a layer, by the path of their source. Objects of deleted sources are left out."""
    folder = BUILT / f"CMakeFiles/{layer}.dir"
    found = {path.relative_to(folder).with_suffix(""): path for path in folder.rglob("*.o")}
    return {source: path for source, path in found.items() if (ROOT / source).is_file()}


def symbols_of(files, *, defined):
    """The symbols of this project that object files define, or need."""
    choice = "--defined-only" if defined else "--undefined-only"
    listed = subprocess.run([NM, "--demangle", choice, *files], check=True, capture_output=True, text=True).stdout
    names = re.findall(r"^(?:[0-9a-f]+)? +\w (.+)$", listed, re.MULTILINE)
    return {name for name in names if OURS.search(name)}


def symbols(layer, *, defined):
    """The symbols of this project that the objects of a layer define, or need."""
    files = list(objects(layer).values())
    return symbols_of([*files, BUILT / "src/stackful/libstackful.a"] if defined else files, defined=defined)


@needs_objects
@pytest.mark.parametrize("layer", USES)
def test_a_layer_links_with_those_below_it_alone(layer):
    own = symbols(layer, defined=True)
    below = set().union(*(symbols(each, defined=True) for each in USES[layer]))
    needed = symbols(layer, defined=False)
    assert own
    assert sorted(needed - own - below) == []


def floor_in_stackless(source):
    return floor_of(source.parts[2].split(".")[0], STACKLESS)


@needs_objects
def test_no_file_of_stackless_calls_what_a_floor_above_defines():
    files = objects("stackless")
    lowest = {}
    for source, path in files.items():
        for name in symbols_of([path], defined=True):
            lowest[name] = min(lowest.get(name, len(STACKLESS)), floor_in_stackless(source))
    upward = [
        f"{source.name} needs {name}"
        for source, path in files.items()
        for name in symbols_of([path], defined=False)
        if lowest.get(name, 0) > floor_in_stackless(source)
    ]
    turn = {floor for name, floor in lowest.items() if name.startswith("stackless::switch_tasklets(")}
    assert turn == {floor_of("turn", STACKLESS)}
    assert upward == []
