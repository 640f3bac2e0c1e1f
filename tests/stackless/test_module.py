"""greenlet.stackless: the names of the module."""

import copy
import pickle

import pytest
from support.scheduler import WITH_A_SCHEDULER
from support.threads import in_thread

import greenlet.stackless as stackless
from greenlet.stackless import getcurrent, getmain, tasklet

pytestmark = WITH_A_SCHEDULER


def test_attributes_of_the_module():
    assert stackless.current is getcurrent()
    assert stackless.main is getmain()
    assert stackless.main is stackless.current
    assert stackless.runcount == 1
    t = tasklet(print)()
    assert stackless.runcount == stackless.getruncount() == 2
    t.kill()
    with pytest.raises(AttributeError):
        stackless.current = None


def test_all_names_exist_and_are_documented():
    for name in stackless.__all__:
        assert getattr(stackless, name).__doc__
    for cls in (stackless.tasklet, stackless.channel):
        for name, member in vars(cls).items():
            if not name.startswith("__"):
                assert member.__doc__, name


def test_import_of_all_names_brings_what_it_does_in_stackless():
    names = {}
    exec("from greenlet.stackless import *", names)
    assert names["stackless"] is stackless
    assert names["stackless"].current is names["getcurrent"]() is getcurrent()
    # The public names of Stackless Python 3.8's `stackless`, and those that only its documentation has.
    theirs = """atomic channel enable_softswitch get_channel_callback get_schedule_callback get_thread_info getcurrent
        getcurrentid getdebug getmain getruncount getthreads getuncollectables pickle_with_tracing_state run schedule
        schedule_remove set_channel_callback set_error_handler set_schedule_callback stackless switch_trap tasklet
        TaskletExit pickle_flags pickle_flags_default PICKLEFLAGS_PRESERVE_TRACING_STATE""".split()
    assert set(theirs) <= set(names)


def test_the_module_can_be_copied_and_pickled():
    assert copy.copy(stackless) is copy.deepcopy(stackless) is pickle.loads(pickle.dumps(stackless)) is stackless


def test_functions_about_what_there_is():
    assert stackless.getcurrentid() == id(getcurrent())
    assert stackless.getthreads() == stackless.threads
    assert stackless.getdebug() is stackless.debug is False
    assert stackless.getuncollectables() == stackless.uncollectables == []


def test_soft_switching_is_refused():
    assert stackless.enable_softswitch(None) is False
    assert stackless.enable_softswitch(False) is False
    with pytest.raises(NotImplementedError, match="C stack"):
        stackless.enable_softswitch(True)


def test_pickle_flags():
    assert stackless.pickle_flags() == 0
    assert stackless.pickle_flags(stackless.PICKLEFLAGS_PRESERVE_TRACING_STATE) == 0
    assert stackless.pickle_flags(2, 2) == 1
    assert stackless.pickle_flags(0) == 3
    assert stackless.pickle_flags_default(4) == 0
    assert in_thread(stackless.pickle_flags) == 4
    assert stackless.pickle_flags_default(0) == 4
    with pytest.raises(ValueError):
        stackless.pickle_flags(8)
    with pytest.raises(ValueError):
        stackless.pickle_flags_default(8)
    assert stackless.pickle_with_tracing_state is False
    stackless.pickle_with_tracing_state = True
    assert stackless.pickle_flags() == 1
    stackless.pickle_with_tracing_state = False
    assert stackless.pickle_flags() == 0
