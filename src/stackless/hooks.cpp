#include "stackless/hooks.hpp"

#include <utility>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackless/scheduler.hpp"

namespace stackless {

using core::Reference;

namespace {

struct Names {
    const char* get;
    const char* set;
};
constexpr Names names[hook_count] = {{"gettrace", "settrace"}, {"getprofile", "setprofile"}};

const Names& names_of(Hook hook) noexcept { return names[static_cast<int>(hook)]; }

// The one that the running thread has.
PyObject* installed(Hook hook) noexcept {
    Reference sys = Reference::steal(PyImport_ImportModule("sys"));
    return sys ? PyObject_CallMethod(sys.get(), names_of(hook).get, nullptr) : nullptr;
}

bool install(Hook hook, PyObject* function) noexcept {
    Reference sys = Reference::steal(PyImport_ImportModule("sys"));
    return sys && Reference::steal(PyObject_CallMethod(sys.get(), names_of(hook).set, "O", function));
}

// None if nothing was shared yet.
PyObject* shared(Scheduler& s, Hook hook) noexcept {
    PyObject* function = s.shared_hooks[hook];
    return function != nullptr ? function : Py_None;
}

bool exchange(Scheduler& s, Tasklet* from, Tasklet* to, Hook hook) noexcept {
    PyObject*& own = from->hooks[hook];
    PyObject* next = to->hooks[hook];
    if (own == nullptr && next == nullptr) {
        return true;
    }
    PyObject* function = installed(hook);
    if (function == nullptr) {
        return false;
    }
    Reference old = Reference::steal(std::exchange(own != nullptr ? own : s.shared_hooks[hook], function));
    Reference installing = Reference::borrow(next != nullptr ? next : shared(s, hook));
    return install(hook, installing.get());
}

bool is_current_here(Tasklet& t) noexcept {
    return t.scheduler->current == &t && t.scheduler->thread->thread_state == interpreter::current_thread_state();
}

}  // namespace

void exchange_hooks(Scheduler& s, Tasklet* from, Tasklet* to) noexcept {
    interpreter::PendingException in_flight;
    for (Hook hook : {Hook::trace, Hook::profile}) {
        if (!exchange(s, from, to, hook)) {
            PyErr_WriteUnraisable(as_object(to));
        }
    }
}

PyObject* get_hook(Tasklet& t, Hook hook) noexcept {
    Scheduler& s = *t.scheduler;
    if (s.thread == nullptr || is_current_here(t)) {
        return s.thread != nullptr ? installed(hook) : Py_NewRef(Py_None);
    }
    if (t.hooks[hook] != nullptr) {
        return Py_NewRef(t.hooks[hook]);
    }
    bool is_shared = s.current->hooks[hook] == nullptr && is_current_here(*s.current);
    return is_shared ? installed(hook) : Py_NewRef(shared(s, hook));
}

int set_hook(Tasklet& t, Hook hook, PyObject* function) noexcept {
    Scheduler& s = *t.scheduler;
    if (s.thread == nullptr || s.thread->thread_state != interpreter::current_thread_state() || !is_alive(&t)) {
        PyErr_SetString(PyExc_RuntimeError, "the tasklet is not alive, or belongs to another thread");
        return -1;
    }
    if (s.current == &t) {
        // What the others share has to be known before this one has something else.
        Reference old;
        if (t.hooks[hook] == nullptr && function != nullptr) {
            PyObject* present = installed(hook);
            if (present == nullptr) {
                return -1;
            }
            old = Reference::steal(std::exchange(s.shared_hooks[hook], present));
        }
        Reference installing = Reference::borrow(function != nullptr ? function : shared(s, hook));
        if ((function != nullptr || t.hooks[hook] != nullptr) && !install(hook, installing.get())) {
            return -1;
        }
    }
    s.has_hooks = true;
    Reference old = Reference::steal(std::exchange(t.hooks[hook], Py_XNewRef(function)));
    return 0;
}

void clear_hooks(Hooks& hooks) noexcept {
    for (PyObject*& function : hooks.functions) {
        Py_CLEAR(function);
    }
}

}  // namespace stackless
