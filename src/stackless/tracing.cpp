#include "stackless/tracing.hpp"

#include <utility>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

struct Names {
    const char* get;
    const char* set;
};
constexpr Names names[hook_count] = {{"gettrace", "settrace"}, {"getprofile", "setprofile"}};

const Names& names_of(Hook hook) noexcept { return names[static_cast<int>(hook)]; }

// The function that is installed in the running thread.
PyObject* installed(Hook hook) noexcept {
    Reference sys = Reference::steal(PyImport_ImportModule("sys"));
    return sys ? PyObject_CallMethod(sys.get(), names_of(hook).get, nullptr) : nullptr;
}

bool install(Hook hook, PyObject* function) noexcept {
    Reference sys = Reference::steal(PyImport_ImportModule("sys"));
    return sys && Reference::steal(PyObject_CallMethod(sys.get(), names_of(hook).set, "O", function));
}

// The function that tasklets without their own share. None if no function was shared yet.
PyObject* shared_hook(Scheduler& s, Hook hook) noexcept {
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
    Holding lock(tasklets_lock);
    Reference old = Reference::steal(std::exchange(own != nullptr ? own : s.shared_hooks[hook], function));
    Reference installing = Reference::borrow(next != nullptr ? next : shared_hook(s, hook));
    lock.release();
    return install(hook, installing.get());
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
    Holding lock(tasklets_lock);
    Scheduler& s = *t.scheduler;
    bool is_here = s.is_running_thread();
    bool has_own = t.hooks[hook] != nullptr;
    // The installed function is that of the current tasklet.
    bool is_installed = is_here && (s.current == &t || (!has_own && s.current->hooks[hook] == nullptr));
    Reference function = Reference::to(s.thread == nullptr ? Py_None : has_own ? t.hooks[hook] : shared_hook(s, hook));
    lock.release();
    return is_installed ? installed(hook) : function.release();
}

int set_hook(Tasklet& t, Hook hook, PyObject* function) noexcept {
    Holding lock(tasklets_lock);
    Scheduler& s = *t.scheduler;
    bool is_usable = s.is_running_thread() && is_alive_locked(&t);
    lock.release();
    if (!is_usable) {
        PyErr_SetString(PyExc_RuntimeError, "the tasklet is not alive, or belongs to another thread");
        return -1;
    }
    if (s.current == &t) {
        // The function that the other tasklets share is recorded before this one gets another.
        Reference old;
        if (t.hooks[hook] == nullptr && function != nullptr) {
            PyObject* present = installed(hook);
            if (present == nullptr) {
                return -1;
            }
            lock.acquire_again();
            old = Reference::steal(std::exchange(s.shared_hooks[hook], present));
            lock.release();
        }
        Reference installing = Reference::borrow(function != nullptr ? function : shared_hook(s, hook));
        if ((function != nullptr || t.hooks[hook] != nullptr) && !install(hook, installing.get())) {
            return -1;
        }
    }
    s.has_hooks = true;
    Reference old;
    lock.acquire_again();
    old = Reference::steal(std::exchange(t.hooks[hook], Py_XNewRef(function)));
    lock.release();
    return 0;
}

}  // namespace stackless
