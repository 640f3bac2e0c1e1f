// The attributes of tasklets.

#include <utility>

#include "stackless/channel.hpp"
#include "stackless/scheduler.hpp"
#include "stackless/types/tasklet.hpp"

namespace stackless {

using interpreter::Holding;

namespace {

PyObject* get_alive(PyObject* self, void*) { return PyBool_FromLong(is_alive_now(tasklet_of(self))); }
PyObject* get_paused(PyObject* self, void*) {
    return PyBool_FromLong(is_alive_now(tasklet_of(self)) && tasklet_of(self).chain == Chain::none);
}
PyObject* get_blocked(PyObject* self, void*) { return PyBool_FromLong(tasklet_of(self).chain == Chain::channel); }
PyObject* get_scheduled(PyObject* self, void*) { return PyBool_FromLong(tasklet_of(self).chain != Chain::none); }
PyObject* get_restorable(PyObject* self, void*) { return PyBool_FromLong(!tasklet_of(self).is_active); }
PyObject* get_atomic(PyObject* self, void*) { return PyBool_FromLong(tasklet_of(self).atomic); }
PyObject* get_ignore_nesting(PyObject* self, void*) { return PyBool_FromLong(tasklet_of(self).ignore_nesting); }
PyObject* get_block_trap(PyObject* self, void*) { return PyBool_FromLong(tasklet_of(self).block_trap); }
PyObject* get_is_main(PyObject* self, void*) { return PyBool_FromLong(tasklet_of(self).is_main); }
PyObject* get_is_current(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    return PyBool_FromLong(tasklet_of(self).scheduler->current == &tasklet_of(self));
}
PyObject* get_nesting_level(PyObject*, void*) { return PyLong_FromLong(0); }

int set_block_trap(PyObject* self, PyObject* value, void*) {
    int truth = value != nullptr ? PyObject_IsTrue(value) : -1;
    if (value == nullptr) {
        PyErr_SetString(PyExc_AttributeError, "block_trap can't be deleted");
    }
    if (truth < 0) {
        return -1;
    }
    tasklet_of(self).block_trap = truth;
    return 0;
}

PyObject* get_thread_id(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    const Scheduler& s = *tasklet_of(self).scheduler;
    bool has_thread = s.thread != nullptr;
    unsigned long id = s.thread_id;
    lock.release();
    return has_thread ? PyLong_FromUnsignedLong(id) : PyLong_FromLong(-1);
}

PyObject* get_next(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    Tasklet& t = tasklet_of(self);
    Tasklet* next = t.chain == Chain::channel ? t.channel->waiting.after(&t) : t.in_chain.next;
    return Py_NewRef(next != nullptr ? as_object(next) : Py_None);
}

PyObject* get_previous(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    Tasklet& t = tasklet_of(self);
    Tasklet* previous = t.chain == Chain::channel ? t.channel->waiting.before(&t) : t.in_chain.previous;
    return Py_NewRef(previous != nullptr ? as_object(previous) : Py_None);
}

// Before a tasklet is alive, its `tempval` is the function it is bound to. The lock is held.
bool is_only_bound(const Tasklet& t) noexcept { return t.function != nullptr && !is_ready_to_run(&t); }

PyObject* get_tempval(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    PyObject* value = is_only_bound(tasklet_of(self)) ? tasklet_of(self).function : tasklet_of(self).outcome.get(self);
    return Py_NewRef(value != nullptr ? value : Py_None);
}

int set_tempval(PyObject* self, PyObject* value, void*) {
    Tasklet& t = tasklet_of(self);
    Outcome old;
    Holding lock(tasklets_lock);
    if (is_only_bound(t) && value != nullptr) {
        old = Outcome::value(std::exchange(t.function, Py_NewRef(value)));
    }
    else {
        old = t.outcome.exchange(Outcome::value(Py_XNewRef(value)));
    }
    return 0;
}

PyObject* get_frame(PyObject* self, void*) {
    auto* frame = reinterpret_cast<PyObject*>(innermost_frame(tasklet_of(self)));
    if (frame == nullptr && PyErr_Occurred()) {
        return nullptr;
    }
    return frame != nullptr ? frame : Py_NewRef(Py_None);
}

PyObject* get_recursion_depth(PyObject* self, void*) {
    PyFrameObject* frame = innermost_frame(tasklet_of(self));
    long depth = 0;
    while (frame != nullptr) {
        ++depth;
        PyFrameObject* back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    return PyErr_Occurred() ? nullptr : PyLong_FromLong(depth);
}

PyObject* get_trace_function(PyObject* self, void*) { return get_hook(tasklet_of(self), Hook::trace); }
PyObject* get_profile_function(PyObject* self, void*) { return get_hook(tasklet_of(self), Hook::profile); }

int set_function(PyObject* self, Hook hook, PyObject* function) noexcept {
    if (function != nullptr && function != Py_None && !PyCallable_Check(function)) {
        PyErr_SetString(PyExc_TypeError, "a callable or None is needed");
        return -1;
    }
    return set_hook(tasklet_of(self), hook, function);
}

int set_trace_function(PyObject* self, PyObject* value, void*) { return set_function(self, Hook::trace, value); }
int set_profile_function(PyObject* self, PyObject* value, void*) { return set_function(self, Hook::profile, value); }

}  // namespace

PyGetSetDef tasklet_attributes[] = {
    {"alive", get_alive, nullptr, "Has it a function and arguments, and has neither it ended nor its thread?", nullptr},
    {"paused", get_paused, nullptr, "Is it alive, but neither runnable nor blocked on a channel?", nullptr},
    {"blocked", get_blocked, nullptr, "Does it wait on a channel?", nullptr},
    {"scheduled", get_scheduled, nullptr, "Is it runnable, or blocked on a channel?", nullptr},
    {"restorable", get_restorable, nullptr, "Can it be pickled? Not once it has begun to run, until it ends.", nullptr},
    {"atomic", get_atomic, nullptr, "What set_atomic() said.", nullptr},
    {"ignore_nesting", get_ignore_nesting, nullptr, "What set_ignore_nesting() said.", nullptr},
    {"block_trap", get_block_trap, set_block_trap,
     "If true, RuntimeError is raised when the tasklet would have to wait on a channel.", nullptr},
    {"is_main", get_is_main, nullptr, "Is it the main tasklet of its thread?", nullptr},
    {"is_current", get_is_current, nullptr, "Is it the current tasklet of its thread?", nullptr},
    {"thread_id", get_thread_id, nullptr, "The thread it belongs to; -1 if that has ended.", nullptr},
    {"next", get_next, nullptr, "The next tasklet in the chain it is in, or None.", nullptr},
    {"prev", get_previous, nullptr, "The previous tasklet in the chain it is in, or None.", nullptr},
    {"tempval", get_tempval, set_tempval,
     "What the call that suspended the tasklet will return. Of one that is bound but not alive: its function.",
     nullptr},
    {"frame", get_frame, nullptr, "Its innermost frame; None before it runs and after it ended.", nullptr},
    {"recursion_depth", get_recursion_depth, nullptr, "How many frames it has.", nullptr},
    {"nesting_level", get_nesting_level, nullptr,
     "Always 0: a tasklet has a stack of its own, so calls through C functions do not keep it from switching.",
     nullptr},
    {"trace_function", get_trace_function, set_trace_function,
     "What sys.gettrace() returns in it. Set it, to a callable or None, and the tasklet has a trace function of its own;\n"
     "delete it, and it has that of its thread again.",
     nullptr},
    {"profile_function", get_profile_function, set_profile_function,
     "What sys.getprofile() returns in it. Set it, to a callable or None, and the tasklet has a profile function of its\n"
     "own; delete it, and it has that of its thread again.",
     nullptr},
    {},
};

}  // namespace stackless
