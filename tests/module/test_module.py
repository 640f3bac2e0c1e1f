"""The names of the package and the extension module that other packages use."""

import importlib
import platform
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from support.environment import HAS_ADDRESS_SANITIZER, ROOT
from support.processes import output_of, run_python

import greenlet
from greenlet import _greenlet

PUBLIC = {
    "__version__",
    "_C_API",
    "GreenletExit",
    "error",
    "getcurrent",
    "greenlet",
    "gettrace",
    "settrace",
}

UNDOCUMENTED = {
    "CLOCKS_PER_SEC",
    "GREENLET_USE_CONTEXT_VARS",
    "GREENLET_USE_GC",
    "GREENLET_USE_TRACING",
    "enable_optional_cleanup",
    "get_clocks_used_doing_optional_cleanup",
}

OF_THE_EXTENSION = UNDOCUMENTED | {
    "_C_API",
    "GREENLET_USE_STANDARD_THREADING",
    "GreenletExit",
    "UnswitchableGreenlet",
    "error",
    "get_pending_cleanup_count",
    "get_total_main_greenlets",
    "getcurrent",
    "gettrace",
    "greenlet",
    "set_thread_local",
    "settrace",
}


def test_functions_work_as_soon_as_the_extension_module_exists():
    # A profiler that looks up the module at each event does this.
    assert output_of("""
        import importlib.machinery, importlib.util, sys

        def path_of_extension():
            package = importlib.util.find_spec("greenlet")
            finder = importlib.machinery.PathFinder.find_spec("greenlet._greenlet", package.submodule_search_locations)
            return finder.origin

        spec = importlib.util.spec_from_file_location("greenlet._greenlet", path_of_extension())
        module = importlib.util.module_from_spec(spec)
        events = []
        print(module.gettrace(), module.settrace(lambda *event: events.append(event)))
        main = module.getcurrent()
        print(main.parent, module.stack_size() > 0, module.get_total_main_greenlets(), module.trim_stacks())
        print(module.enable_optional_cleanup(True), module.get_clocks_used_doing_optional_cleanup())
        print(module.on_thread_stack(len, "abc"), module.report_stack_overflow(False), module.get_pending_cleanup_count())
        spec.loader.exec_module(module)
        import greenlet
        print(greenlet.getcurrent() is main, type(main) is greenlet.greenlet)
        greenlet.greenlet(lambda: None).switch()
        print(len(events))
        greenlet.settrace(None)
        """).split("\n") == ["None None", "None True 1 None", "None 0", "3 False 0", "True True", "2", ""]


def thread_local_bytes(path):
    """Return the bytes of static TLS that a 64-bit ELF file requests."""
    content = Path(path).read_bytes()
    assert content[:5] == b"\x7fELF\x02"
    offset, size, count = struct.unpack_from("<Q", content, 32)[0], *struct.unpack_from("<HH", content, 54)
    headers = (struct.unpack_from("<IIQQQQQQ", content, offset + i * size) for i in range(count))
    return sum(header[6] for header in headers if header[0] == 7)


@pytest.mark.skipif(sys.platform != "linux" or sys.maxsize < 2**32, reason="reads ELF files of 64 bits")
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="the tool has variables of its own")
def test_a_thread_has_one_pointer_of_ours():
    assert thread_local_bytes(_greenlet.__file__) <= 8


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep no room")
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="the tool has variables of its own")
def test_the_package_can_be_imported_where_other_libraries_have_taken_the_room_for_thread_local_variables(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no compiler: cc")
    source = ROOT / "tests" / "capi" / "crowded.c"

    def library(size):
        path = tmp_path / f"crowded{size}.so"
        subprocess.run([compiler, "-shared", "-fPIC", f"-DBYTES={size}", source, "-o", path], check=True)
        return str(path)

    # Takes 16 bytes, then whatever still fits. Fewer than 8 bytes are left, and fewer than 24 without the first
    # library.
    first, *others = [library(size) for size in (16, 1024, 512, 256, 128, 64, 32, 8)]
    taken = output_of(f"""
        import ctypes

        for path in {[first, *others]!r}:
            try:
                ctypes.CDLL(path)
                print(path)
            except OSError as error:
                assert "static TLS" in str(error), error
        """).splitlines()
    assert taken[0] == first and len(taken) > 1
    done = run_python(f"""
        import ctypes

        for path in {taken[1:]!r}:
            ctypes.CDLL(path)
        from greenlet import greenlet
        print(greenlet(lambda: "works").switch())
        """)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "works\n"


OF_THE_CLASS = {
    "GreenletExit",
    "__bool__",
    "__dict__",
    "__getstate__",
    "_stack_saved",
    "dead",
    "error",
    "getcurrent",
    "gettrace",
    "gr_context",
    "gr_frame",
    "parent",
    "run",
    "settrace",
    "switch",
    "throw",
}


@pytest.mark.parametrize("name", sorted(PUBLIC | UNDOCUMENTED))
def test_the_package_has(name):
    assert hasattr(greenlet, name)


def test_the_public_names_are_in_all():
    assert PUBLIC <= set(greenlet.__all__)
    assert all(hasattr(greenlet, name) for name in greenlet.__all__)


@pytest.mark.parametrize("name", sorted(OF_THE_EXTENSION))
def test_the_extension_module_has(name):
    assert hasattr(_greenlet, name)


@pytest.mark.parametrize("name", sorted(OF_THE_CLASS))
def test_the_class_has(name):
    assert name in vars(greenlet.greenlet)


def test_names_are_the_same_objects_everywhere():
    for name in ("getcurrent", "error", "GreenletExit", "settrace", "gettrace"):
        assert getattr(greenlet, name) is getattr(_greenlet, name) is getattr(greenlet.greenlet, name)
    assert greenlet.greenlet is _greenlet.greenlet


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert greenlet.__version__ == version("greenlet")
    # Newer than the reference, and still accepted by clients: Playwright requires greenlet>=3.1.1,<4.0.0.
    assert (3, 5) < tuple(map(int, greenlet.__version__.split(".")[:2])) < (4, 0)


def test_constants():
    assert greenlet.GREENLET_USE_GC and greenlet.GREENLET_USE_TRACING and greenlet.GREENLET_USE_CONTEXT_VARS
    assert greenlet.CLOCKS_PER_SEC > 0


def test_names_of_the_classes():
    assert greenlet.greenlet.__name__ == "greenlet" and greenlet.greenlet.__module__ == "greenlet"
    assert greenlet.error.__module__ == greenlet.GreenletExit.__module__ == "greenlet"
    assert greenlet.GreenletExit.__mro__[1] is BaseException
    assert greenlet.error.__mro__[1] is Exception


def test_the_capsule_has_the_name_that_clients_import():
    assert 'capsule object "greenlet._C_API"' in repr(greenlet._C_API)


def test_every_public_name_is_documented():
    for name in ("greenlet", "getcurrent", "settrace", "gettrace", "stack_size", "GreenletExit", "error"):
        assert getattr(greenlet, name).__doc__
    for name in ("switch", "throw", "run", "parent", "dead", "gr_frame", "gr_context"):
        assert getattr(greenlet.greenlet, name).__doc__


def test_signatures_can_be_inspected():
    import inspect

    assert list(inspect.signature(greenlet.greenlet).parameters) == ["run", "parent"]
    assert str(inspect.signature(greenlet.greenlet.switch)).startswith("(self")
    assert str(inspect.signature(greenlet.greenlet.throw)).startswith("(self")


def test_getcurrent_takes_no_arguments():
    with pytest.raises(TypeError):
        greenlet.getcurrent(1)


def test_enable_optional_cleanup_takes_one_argument():
    with pytest.raises(TypeError):
        greenlet.enable_optional_cleanup()


def test_the_hook_for_thread_locals_takes_two_arguments():
    with pytest.raises(TypeError):
        _greenlet.set_thread_local(1)
    assert _greenlet.set_thread_local("greenlet tests", 1) is None


def test_counts_for_tests_are_numbers():
    assert _greenlet.get_pending_cleanup_count() == 0
    assert _greenlet.get_total_main_greenlets() >= 1


def test_the_extension_module_can_be_imported_again():
    assert (
        output_of(
            """
        import sys
        import greenlet
        first = greenlet.greenlet
        main = greenlet.getcurrent()
        for name in ("greenlet", "greenlet._greenlet"):
            del sys.modules[name]
        import greenlet
        print(greenlet.greenlet is first, greenlet.getcurrent() is main, greenlet.greenlet(len).switch("ab"))
        """
        )
        == "True True 2\n"
    )


def test_reload_does_no_harm():
    importlib.reload(greenlet)
    assert greenlet.greenlet(len).switch("ab") == 2


def test_import_does_not_import_much():
    modules = output_of(
        """
        import sys
        before = set(sys.modules)
        import greenlet
        print(*sorted(set(sys.modules) - before))
        """,
        options=["-I"],
    )
    assert {"greenlet", "greenlet._greenlet"} <= set(modules.split())
    assert len(modules.split()) <= 4


@pytest.mark.skipif(not hasattr(sys, "_is_gil_enabled"), reason="there is one kind of build only")
def test_import_does_not_enable_the_gil():
    assert (
        output_of(
            """
        import sys
        before = sys._is_gil_enabled()
        import greenlet
        print(sys._is_gil_enabled() == before)
        """
        )
        == "True\n"
    )
