#include "stackless/thread_end.hpp"

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/thread_state.hpp"
#include "stackless/operations.hpp"
#include "stackless/ownership.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

void kill_active(Scheduler& s) noexcept {
    s.switch_trap = 0;
    for (int round = 0; round < 10 && s.active.first() != nullptr; ++round) {
        Reference list = Reference::steal(PyList_New(0));
        for (Tasklet* t = s.active.first(); t != nullptr; t = s.active.after(t)) {
            if (!list || PyList_Append(list.get(), as_object(t)) < 0) {
                PyErr_WriteUnraisable(nullptr);
                return;
            }
        }
        for (Py_ssize_t i = PyList_GET_SIZE(list.get()); i-- > 0;) {
            Tasklet* t = as_tasklet(PyList_GET_ITEM(list.get(), i));
            if (!t->is_active || t == s.current) {
                continue;
            }
            PyObject* exit = make_exception(s.state->tasklet_exit);
            Reference done = Reference::steal(exit != nullptr ? throw_into(t, exit, false) : nullptr);
            if (!done) {
                PyErr_WriteUnraisable(as_object(t));
            }
        }
    }
}

namespace {

// Separates the scheduler from its thread. If the thread uses tasklets after that, it gets a new one.
void detach_from_thread(Scheduler& s) {
    Holding lock(tasklets_lock);
    for (Scheduler** place = &s.state->schedulers; *place != nullptr; place = &(*place)->next_scheduler) {
        if (*place == &s) {
            *place = s.next_scheduler;
            break;
        }
    }
    layer_object(*s.thread).object = nullptr;
    layer_object(*s.thread).has_ended = true;
    s.thread = nullptr;
}

// Unlinks a tasklet that is still in a chain: a runnable one, or an active one that survived kill_active() and waits on
// a channel. Passes a reference to the caller. nullptr if there is none.
Tasklet* unlink_remaining(Scheduler& s) {
    Holding lock(tasklets_lock);
    if (!s.runnable.is_empty()) {
        return unlink(s.runnable.first());
    }
    for (Tasklet* t = s.active.first(); t != nullptr; t = s.active.after(t)) {
        if (t->chain == Chain::channel) {
            return unlink(t);
        }
    }
    return nullptr;
}

}  // namespace

void end_thread(Scheduler& s) noexcept {
    s.set_switching(false);
    interpreter::PendingException in_flight;
    bool is_finalizing = interpreter::is_finalizing();
    if (!is_finalizing && interpreter::current_thread_state() == s.thread->thread_state) {
        kill_active(s);
    }
    detach_from_thread(s);
    Reference released = Reference::steal(as_object(&s));
    if (is_finalizing) {
        return;  // the process frees the rest
    }
    while (Tasklet* t = unlink_remaining(s)) {
        Py_DECREF(t);
    }
    if (s.main != nullptr) {
        s.main->is_active = false;
    }
    s.current = nullptr;
    Py_CLEAR(s.main);
    Py_CLEAR(s.to_release);
}

}  // namespace stackless
