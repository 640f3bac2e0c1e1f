"""The source has one direction: a file includes and calls only files of its own floor and of lower floors, and a layer
links without the layers above it."""

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
FOLDERS = ["stackful", "interpreter", "core|python", "coroutines", "stackless|generators|aio|inspect", "module"]

# Within a folder, from the bottom to the top: a file by its path there without its ending, or the folder that it lies in.
# A file may include and call those of its own floor and of the floors before it.
FLOORS = {
    "stackful": [
        "tools|layout|shadow_stack|system/aligned_memory|system/threads|system/threads_posix"
        "|system/threads_windows|system/windows_header",
        "heap|mutex",
        "first_use",
        "annotations|region|system",
        "stack|limits|context|arch",
        "pool",
        "cache|overflow|usage|system/overflow_posix|system/overflow_windows",
    ],
    "interpreter": [
        "versions/cpython",
        "versions/c_recursion|versions/current_frame|thread_state|collector|allocation|modules|memory_tracing|plain_attribute|pending_exception"
        "|native_coroutine|asyncio_task|static_type|frames/call_in_progress"
        "|threading/lock|threading/critical_sections|threading/shared_count|threading/shared_value",
        "versions/calls_3_11|versions/calls_3_13|versions/calls_3_14|context|threading/threads",
        "versions/calls",
        "frames/link|frames/frame",
        "state|frames/prefetch|frames/value_stack|frames/value_stack_3_11|frames/value_stack_3_14",
        "frames/visit|frames/abandon|frames/frame_object|frames/monitoring|frames/early_release|handled_exception"
        "|frames/copied",
        "prepare",
    ],
    "core": [
        "observer|module_state|layer|reference|raise",
        "greenlet|traversal_order|notes|thread|thread_list|parent|settings|gc_root|message",
        "describe|shortage|overflow|create",
        "coroutine/cycle_detector|coroutine/hooks|transfer",
        "start|finish",
        "kill",
        "switch|collect|coroutine/coroutine|coroutine/frames|thread_stack|thread_end",
    ],
    "python": ["arguments|define"],
    "coroutines": [
        "object|callable|arguments|native_function",
        "methods|attributes",
        "class",
    ],
    "generators": ["state", "object", "function", "generators"],
    "aio": [
        "state",
        "task|function",
        "object",
        "await",
        "iterator",
        "functions",
        "aio",
    ],
    "stackless": [
        "lock|outcome|ring|system",
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
    ],
    "inspect": [
        "system",
        "recording/ring",
        "recording/names",
        "recording/recorder",
        "argument|listing|native|statistics|watch|recording/functions|offsets|output",
        "memory",
        "copy|lines|objects|stillness|source",
        "frames",
        "stack_reader",
        "walker",
        "text_dump",
        "signal_dump|system/signal_dump_posix|system/signal_dump_windows",
        "outside",
        "inspect",
    ],
    "module": [
        "parts|greenlet/parts",
        "about|greenlet/attributes|greenlet/switch|greenlet/unswitchable",
        "functions|greenlet/make",
        "c_api|greenlet/type",
        "module",
    ],
}

# Exceptions: files that include a higher floor, because functions that they offer to low floors need it.
UPWARD = {
    "core/parent.cpp": {"core/describe", "core/thread_stack"},  # the message of a refusal
    "core/thread.cpp": {"core/create", "core/shortage"},  # a thread's main greenlet; no room for a stack
    "core/coroutine/hooks.cpp": {"core/coroutine/coroutine"},  # the definition of a coroutine
}
UPWARD_CALLS = {
    "core/thread.cpp": {"core/thread_end"},  # Thread::end()
}

LIST_IT = "not in FLOORS, or there no longer: put a new file on the lowest floor that is above all files that it uses"
TURN_IT_ROUND = (
    "a file uses one that stands above it. Move what it needs down, into the lower file or one of its own, or move the "
    "file itself up in FLOORS, if none of those that use it stands below"
)


def floor_of(name, floors):
    found = [number for number, names in enumerate(floors) if name in names.split("|")]
    return found[0] if found else None


def place_in_folder(path):
    """Return the name of a file in FLOORS: its path in its folder without the ending, or that of a folder that it lies in."""
    own = path.relative_to(path.parts[0]).with_suffix("")
    names = [name.as_posix() for name in (own, *own.parents)]
    return next((name for name in names if floor_of(name, FLOORS[path.parts[0]]) is not None), names[0])


def files(folder=""):
    found = (path.relative_to(SOURCE) for path in (SOURCE / folder).rglob("*"))
    return sorted(path for path in found if path.suffix in (".cpp", ".hpp", ".S"))


def includes():
    """Return pairs of a file and a header of the source that it includes, such as core/thread.hpp."""
    for path in files():
        for included in re.findall(r'^#include "(\w+/[\w/.]+)"', (SOURCE / path).read_text(), re.MULTILINE):
            yield path, Path(included)


def is_permitted(path, used, permitted=UPWARD):
    return used.with_suffix("").as_posix() in permitted.get(path.as_posix(), ())


def runs_up(path, used):
    folders = path.parts[0], used.parts[0]
    if folders[0] != folders[1]:
        above, below = (floor_of(folder, FOLDERS) for folder in folders)
        return above <= below
    above, below = (floor_of(place_in_folder(file), FLOORS[folders[0]]) for file in (path, used))
    return above < below and not is_permitted(path, used)


def test_each_folder_has_its_place_and_its_floors():
    folders = {path.parts[0] for path in files()}
    assert set("|".join(FOLDERS).split("|")) == set(FLOORS) == folders


@pytest.mark.parametrize("folder", FLOORS)
def test_each_file_has_its_floor(folder):
    listed = set("|".join(FLOORS[folder]).split("|"))
    assert {place_in_folder(path) for path in files(folder)} ^ listed == set(), LIST_IT


def test_no_include_runs_up():
    assert [f"{path} includes {used}" for path, used in includes() if runs_up(path, used)] == [], TURN_IT_ROUND


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
    used = {(str(path), included.with_suffix("").as_posix()) for path, included in includes()}
    assert {(path, name) for path, names in UPWARD.items() for name in names} - used == set()


def test_one_that_runs_up_is_noticed():
    assert runs_up(Path("core/thread.hpp"), Path("module/parts.hpp"))
    assert runs_up(Path("aio/aio.hpp"), Path("generators/object.hpp"))
    assert runs_up(Path("core/greenlet.hpp"), Path("core/kill.hpp"))
    assert runs_up(Path("core/transfer.cpp"), Path("core/coroutine/coroutine.hpp"))
    assert runs_up(Path("stackful/system/linux.cpp"), Path("stackful/pool.hpp"))
    assert runs_up(Path("stackless/turn.cpp"), Path("stackless/body.hpp"))
    assert not runs_up(Path("aio/aio.hpp"), Path("coroutines/object.hpp"))
    assert not runs_up(Path("stackful/arch/ucontext.cpp"), Path("stackful/context.hpp"))


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
    "inspect": ["interpreter", "core", "python"],
}
# gcc-nm can read objects for link-time optimization.
NM = shutil.which("gcc-nm") or shutil.which("nm")
OURS = re.compile(r"\b(?:stackful|interpreter|core|python|coroutines|generators|aio|stackless|inspect|module)(?:::|_)")
needs_objects = pytest.mark.skipif(
    NM is None or not (BUILT / "CMakeFiles/core.dir").is_dir(), reason="needs nm, and the objects of a build in build/"
)


def objects(layer):
    """Return the objects of a layer, by the files from which they are compiled. Objects of deleted files are left out."""
    folder = BUILT / ("src/stackful/CMakeFiles" if layer == "stackful" else "CMakeFiles") / f"{layer}.dir"
    begin = folder if layer == "stackful" else folder / "src" / layer
    made_of = {Path(layer) / path.relative_to(begin).with_suffix(""): path for path in sorted(begin.rglob("*.o"))}
    return {source: path for source, path in made_of.items() if (SOURCE / source).is_file()}


def symbols(paths, kinds="A-Za-z"):
    """Return the symbols of this project in objects that are of these kinds, given as the letters of nm."""
    command = [NM, "--demangle", *map(str, paths)]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = re.findall(rf"^(?:[0-9a-f]+)? +[{kinds}] (.+)$", listed, re.MULTILINE)
    return {name for name in names if OURS.search(name)}


DEFINED = "A-TV-Za-tv-z"  # all kinds but U
GLOBAL = "BDRT"  # those that only one object may define
NEEDED = "U"


@needs_objects
@pytest.mark.parametrize("layer", USES)
def test_a_layer_links_with_those_below_it_alone(layer):
    own = symbols(objects(layer).values(), DEFINED)
    below = symbols([path for each in ("stackful", *USES[layer]) for path in objects(each).values()], DEFINED)
    assert own
    assert sorted(symbols(objects(layer).values(), NEEDED) - own - below) == []


@needs_objects
@pytest.mark.parametrize("folder", FLOORS)
def test_no_call_runs_up(folder):
    definer = {name: path for path, made in objects(folder).items() for name in symbols([made], GLOBAL)}
    assert definer
    calls = {
        (path, definer[name])
        for path, made in objects(folder).items()
        for name in symbols([made], NEEDED) & definer.keys()
    }
    upward = {(path, called) for path, called in calls if runs_up(path, called)}
    permitted = {(path, called) for path, called in upward if is_permitted(path, called, UPWARD_CALLS)}
    assert [f"{path} calls {called}" for path, called in sorted(upward - permitted)] == [], TURN_IT_ROUND
    expected = {(path, name) for path, names in UPWARD_CALLS.items() for name in names if path.startswith(f"{folder}/")}
    assert {(str(path), called.with_suffix("").as_posix()) for path, called in permitted} == expected
