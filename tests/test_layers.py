"""The source has one direction: a file includes files of its own floor and of lower ones only, and core links without
the layers above it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src"
pytestmark = pytest.mark.skipif(not SOURCE.is_dir(), reason="needs the source tree")

# From the bottom to the top. A folder may include those before it, but not those that stand beside it.
FOLDERS = ["stackful", "interpreter", "core|python", "coroutines", "stackless|generators|aio", "module"]

# Within core, by what a file is called without its ending.
CORE = [
    "module_state|layer|reference|raise",
    "greenlet|notes|thread|parent|settings|gc_root|message",
    "describe|shortage|overflow|create",
    "transfer|hooks",
    "start|finish",
    "kill",
    "switch|collect|coroutine|thread_stack|thread_end",
]

# Where a file below needs what stands above: each is a function whose room is above its declaration.
UPWARD = {
    "src/core/parent.cpp": {"core/describe.hpp", "core/thread_stack.hpp"},  # what a refusal says
    "src/core/thread.cpp": {"core/create.hpp", "core/shortage.hpp"},        # a thread's main greenlet; no room for a stack
    "src/core/coroutine/hooks.cpp": {"core/coroutine/coroutine.hpp"},       # what a coroutine is
}


def floor_of(name, floors):
    found = [number for number, names in enumerate(floors) if name in names.split("|")]
    return found[0] if found else None


def includes():
    """Pairs of a file and what it includes of the source, as core/thread.hpp."""
    for path in sorted(SOURCE.rglob("*.[ch]pp")):
        for included in re.findall(r'^#include "(\w+/[\w/.]+)"', path.read_text(), re.MULTILINE):
            yield path.relative_to(SOURCE), Path(included)


def runs_up(path, included):
    folders = path.parts[0], included.parts[0]
    if folders[0] != folders[1]:
        above, below = (floor_of(folder, FOLDERS) for folder in folders)
        return above <= below
    if folders[0] != "core":
        return False
    above, below = (floor_of(file.stem, CORE) for file in (path, included))
    return above < below and str(included) not in UPWARD.get(f"src/{path}", ())


def test_each_folder_and_each_file_of_core_has_its_floor():
    assert all(floor_of(path.parts[0], FOLDERS) is not None for path, _ in includes())
    missing = {path.stem for path in (SOURCE / "core").rglob("*.[ch]pp") if floor_of(path.stem, CORE) is None}
    assert missing == set()


def test_no_include_runs_up():
    assert [f"{path} includes {included}" for path, included in includes() if runs_up(path, included)] == []


def test_what_is_permitted_is_needed():
    used = {(f"src/{path}", str(included)) for path, included in includes()}
    assert [(path, included) for path, names in UPWARD.items() for included in names if (path, included) not in used] == []


def test_one_that_runs_up_is_noticed():
    assert runs_up(Path("core/thread.hpp"), Path("module/module.hpp"))
    assert runs_up(Path("aio/aio.hpp"), Path("generators/object.hpp"))
    assert runs_up(Path("core/greenlet.hpp"), Path("core/kill.hpp"))
    assert not runs_up(Path("aio/aio.hpp"), Path("coroutines/object.hpp"))


def test_only_the_public_header_is_outside():
    assert [path.name for path in (SOURCE.parent / "include").iterdir()] == ["greenlet.h"]


# What tools/environment.py has built for this interpreter: a CMake target for each layer.
BUILT = Path(sys.prefix).parent / "cmake"


@pytest.mark.skipif(not (BUILT / "CMakeFiles/core.dir").is_dir(), reason="needs the objects of a build in build/")
@pytest.mark.skipif(shutil.which("c++") is None or shutil.which("nm") is None, reason="needs a linker")
def test_core_links_without_the_layers_above_it(tmp_path):
    objects = [str(path) for layer in ("interpreter", "core") for path in (BUILT / f"CMakeFiles/{layer}.dir").rglob("*.o")]
    assert len(objects) > 10
    library = tmp_path / "core.so"
    engine = BUILT / "src/stackful/libstackful.a"
    subprocess.run(["c++", "-shared", "-fPIC", "-O1", "-o", str(library), *objects, str(engine)], check=True, timeout=240)
    missing = subprocess.run(["nm", "--dynamic", "--undefined-only", "--demangle", str(library)],
                             check=True, capture_output=True, text=True).stdout
    assert "PyErr_SetString" in missing
    assert re.findall(r"\b(?:stackful|interpreter|core|python|coroutines|generators|aio|stackless|module)::.*", missing) == []
