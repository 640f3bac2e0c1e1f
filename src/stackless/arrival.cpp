#include "stackless/arrival.hpp"

#include <utility>

#include "interpreter/pending_exception.hpp"
#include "stackless/ownership.hpp"

namespace stackless {

using interpreter::Holding;

void set_greenlet(Tasklet* t, PyGreenlet* g) noexcept {
    if (t->greenlet != g) {
        exchange_greenlet(t, core::as_greenlet(Py_NewRef(core::as_object(g))));
    }
}

namespace {

// The value that a tasklet is resumed with: a new reference, or nullptr with the exception that it is.
PyObject* take_value(Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    Outcome outcome = t->outcome.take();
    lock.release();
    return std::move(outcome).deliver();
}

// What a tasklet does when something else than the scheduler resumed it.
[[gnu::noinline]] PyObject* resumed_out_of_turn(Scheduler& s, Tasklet* self, PyObject* received) {
    {
        Holding lock(tasklets_lock);
        hold(self);
    }
    if (!self->is_active || s.thread == nullptr) {
        // It has ended, and left a greenlet behind, which unwinds now as part of the current tasklet. Or its thread
        // does.
        if (s.current == s.runnable.first()) {  // else that one is in the middle of a switch
            s.end_switching();
        }
        return received;
    }
    Tasklet* other = s.current;  // goes on when this one ends or switches away
    if (other->is_active) {
        set_suspension(other, Suspension::outside);
    }
    if (received == nullptr && PyErr_ExceptionMatches(s.module->greenlet_exit)) {
        // It is being killed, which makes the killer the parent.
        PyErr_SetString(s.state->tasklet_exit, "Killing the tasklet because all references have vanished.");
        PyGreenlet* killer = s.thread->current->pimpl->parent;
        if (killer != nullptr && core::is_active(killer) && other->is_active) {
            set_greenlet(other, killer);
        }
    }
    s.take_turn(self);
    interpreter::PendingException in_flight;
    clear_outcome(self);
    return received;
}

// The same when it was resumed with an exception, or with the tasklet that has paused. Releases that one, which may end
// it.
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
