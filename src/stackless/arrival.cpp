#include "stackless/arrival.hpp"

#include <utility>

#include "interpreter/pending_exception.hpp"
#include "stackless/ownership.hpp"

namespace stackless {

using interpreter::Holding;

void take_turn(Scheduler& s, Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    s.runnable.prepend(unlink(t));
    s.current = t;
    s.upcoming = nullptr;
    s.end_switching();
}

namespace {

// Takes the value that a tasklet is resumed with: a new reference. nullptr with the exception, if that was set instead.
PyObject* take_value(Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    Outcome outcome = t->outcome.take();
    lock.release();
    return std::move(outcome).deliver();
}

// arrive(), if other code than the scheduler resumed the tasklet's greenlet.
[[gnu::noinline]] PyObject* resumed_out_of_turn(Scheduler& s, Tasklet* self, PyObject* received) {
    {
        Holding lock(tasklets_lock);
        restore_ownership(self);
    }
    if (!self->is_active || s.thread == nullptr) {
        // Either the thread ends, or the tasklet has ended and left this greenlet behind. The greenlet then unwinds as
        // part of the current tasklet.
        if (s.current == s.runnable.first()) {  // else the current tasklet is in the middle of a switch
            s.end_switching();
        }
        return received;
    }
    Tasklet* other = s.current;  // resumed when this one ends or switches
    if (other->is_active) {
        set_suspension(other, Suspension::outside);
    }
    if (received == nullptr && PyErr_ExceptionMatches(s.module->greenlet_exit)) {
        // The tasklet is being killed, so its greenlet's parent is the killer.
        PyErr_SetString(s.state->tasklet_exit, "Killing the tasklet because all references have vanished.");
        PyGreenlet* killer = s.thread->current->pimpl->parent;
        if (killer != nullptr && core::is_active(killer) && other->is_active) {
            set_greenlet(other, killer);
        }
    }
    take_turn(s, self);
    interpreter::PendingException in_flight;
    clear_outcome(self);
    return received;
}

// arrive(), if the greenlet was resumed with an exception, or with a tasklet that has paused. Releases that tasklet,
// which may end it.
[[gnu::noinline]] PyObject* resumed_by_pause(Tasklet* self, PyObject* received) {
    if (received == nullptr) {
        return nullptr;
    }
    PyObject* value = take_value(self);
    Py_DECREF(received);
    return value;
}

}  // namespace

PyObject* arrive(Scheduler& s, Tasklet* self, PyObject* received) noexcept {
    if (s.current != self) [[unlikely]] {
        return resumed_out_of_turn(s, self, received);
    }
    s.set_switching(false);
    if (received != Py_None) [[unlikely]] {
        return resumed_by_pause(self, received);
    }
    Py_DECREF(received);
    return take_value(self);
}

}  // namespace stackless
