// The attributes of tasklets.

#include <utility>

#include "stackless/channel.hpp"
#include "stackless/frames.hpp"
#include "stackless/tracing.hpp"
#include "stackless/types/tasklet.hpp"

namespace stackless {

using interpreter::Holding;

namespace {

PyObject* get_alive(PyObject* self, void*) { return PyBool_FromLong(is_alive(tasklet_of(self))); }
PyObject* get_paused(PyObject* self, void*) {
    return PyBool_FromLong(is_alive(tasklet_of(self)) && tasklet_of(self).chain == Chain::none);
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
    Tasklet* next = t.chain == Chain::channel ? t.channel->waiting.after(&t) : t.chain_link.next;
    return Py_NewRef(next != nullptr ? as_object(next) : Py_None);
}

PyObject* get_previous(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    Tasklet& t = tasklet_of(self);
    Tasklet* previous = t.chain == Chain::channel ? t.channel->waiting.before(&t) : t.chain_link.previous;
    return Py_NewRef(previous != nullptr ? as_object(previous) : Py_None);
}

// True if the tasklet has a function but no arguments: its `tempval` is the function then. The lock is held.
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
    {"alive", get_alive, nullptr, "True if it has a function and arguments, and neither it nor its thread has ended.",
     nullptr},
    {"paused", get_paused, nullptr, "True if it is alive, but neither runnable nor blocked on a channel.", nullptr},
    {"blocked", get_blocked, nullptr, "True if it waits on a channel.", nullptr},
    {"scheduled", get_scheduled, nullptr, "True if it is runnable, or blocked on a channel.", nullptr},
    {"restorable", get_restorable, nullptr, "True if it can be pickled: it has not begun to run, or has ended.",
     nullptr},
    {"atomic", get_atomic, nullptr, "The flag that set_atomic() sets.", nullptr},
    {"ignore_nesting", get_ignore_nesting, nullptr, "The flag that set_ignore_nesting() sets.", nullptr},
    {"block_trap", get_block_trap, set_block_trap,
     "If true, the tasklet may not wait on a channel: send() and receive() raise RuntimeError instead.", nullptr},
    {"is_main", get_is_main, nullptr, "True if it is the main tasklet of its thread.", nullptr},
    {"is_current", get_is_current, nullptr, "True if it is the current tasklet of its thread.", nullptr},
    {"thread_id", get_thread_id, nullptr, "The identifier of its thread; -1 if the thread has ended.", nullptr},
    {"next", get_next, nullptr, "The next tasklet in the chain it is in, or None.", nullptr},
    {"prev", get_previous, nullptr, "The previous tasklet in the chain it is in, or None.", nullptr},
    {"tempval", get_tempval, set_tempval,
     "What the call that suspended the tasklet will return. If it is bound but not alive: its function.", nullptr},
    {"frame", get_frame, nullptr, "Its innermost frame; None before it first runs and after it has ended.", nullptr},
    {"recursion_depth", get_recursion_depth, nullptr, "The number of its frames.", nullptr},
    {"nesting_level", get_nesting_level, nullptr,
     "Always 0. In Stackless Python it counts calls that keep a tasklet from being switched; here there are none.",
     nullptr},
    {"trace_function", get_trace_function, set_trace_function,
     "The result of sys.gettrace() in the tasklet. Setting it, to a callable or None, gives the tasklet a function\n"
     "of its own. After it is deleted, the tasklet shares the function of its thread again.",
     nullptr},
    {"profile_function", get_profile_function, set_profile_function,
     "The result of sys.getprofile() in the tasklet. Setting it, to a callable or None, gives the tasklet a function\n"
     "of its own. After it is deleted, the tasklet shares the function of its thread again.",
     nullptr},
    {},
};

}  // namespace stackless
