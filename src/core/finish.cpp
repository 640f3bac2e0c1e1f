#include "core/finish.hpp"

#include "core/coroutine/hooks.hpp"
#include "core/parent.hpp"
#include "core/start.hpp"
#include "core/transfer.hpp"
#include "interpreter/context.hpp"
#include "interpreter/pending_exception.hpp"

namespace core {

namespace {

inline bool can_go_on(Thread& thread, PyGreenlet* self, PyGreenlet* parent) {
    return is_active(parent) && parent->pimpl->thread == &thread && parent != self;
}

// The greenlet that runs next when `self` finishes, as a new reference: the resumer of a body, else the first parent
// that can run. An unstarted parent is prepared with `start`. If that fails, the exception replaces the result and goes
// to the next parent.
PyGreenlet* successor(Thread& thread, PyGreenlet* self, Reference& result, bool is_exit, Start& start, bool& starts) {
    if (PyGreenlet* resumer = take_resumer(self)) {
        return resumer;
    }
    Reference next = Reference::steal(get_parent(self));
    while (next) {
        PyGreenlet* g = as_greenlet(next.get());
        if (can_go_on(thread, self, g)) {
            return as_greenlet(next.release());
        }
        if (!is_started(g)) {
            start = Start{};
            Message message = Message::exception();
            if (result) {
                start.many_arguments = Reference::steal(PyTuple_Pack(1, result.get()));
                message = start.many_arguments ? Message{&PyTuple_GET_ITEM(start.many_arguments.get(), 0), 1} : message;
                message.is_exit = is_exit;
            }
            bool may = (!result || start.many_arguments) && may_switch_to(g, thread);
            switch (may ? prepare_start(thread, g, message, start) : Preparation::failed) {
                case Preparation::ready:
                    starts = true;
                    result = Reference();
                    return as_greenlet(next.release());
                case Preparation::already_started:
                    continue;
                case Preparation::failed:
                    result = Reference();
            }
        }
        next = Reference::steal(get_parent(g));
    }
    // The garbage collector cut the chain of parents. The main greenlet is always there.
    if (result) {
        result = Reference();
        PyErr_SetString(thread.module->error, "a greenlet finished whose parent was garbage collected");
    }
    return as_greenlet(Py_NewRef(as_object(thread.main)));
}

// Switches from a finished greenlet to `target` and never returns. Takes over a reference to `target`.
template <class Payload>
[[noreturn]] inline void leave(Thread& thread, PyGreenlet* self, PyGreenlet* target, Payload&& payload) {
    Activation& activation = *self->pimpl->activation;
    {
        interpreter::ObjectLock lock(as_object(self));  // as in activate()
        self->pimpl->context = interpreter::exchange_running_context(thread.thread_state, nullptr);
        self->pimpl->activation = nullptr;
        self->pimpl->phase = Phase::finished;
    }
    if (std::exchange(self->pimpl->holds_itself, false)) [[unlikely]] {
        Py_DECREF(self);
    }
    thread.remove_active(activation);
    thread.finished_activation = &activation;
    set_current(thread, Reference::steal(as_object(target)));
    exchange<stackful::Leaving::permanently>(thread, *self->pimpl, activation, *target->pimpl, payload);
    __builtin_unreachable();
}

}  // namespace

[[noreturn]] void finish_greenlet(Thread& thread, PyGreenlet* self, PyObject* result_of_run) {
    bool is_of_coroutine = is_body(self);
    Reference result = Reference::steal(is_of_coroutine ? finish_body(self, result_of_run) : result_of_run);
    bool is_exit = !result && !is_of_coroutine && PyErr_ExceptionMatches(thread.module->greenlet_exit);
    if (is_exit) {
        result = Reference::steal(interpreter::take_exception(true));
    }
    if (interpreter::has_leftovers(thread.thread_state)) {
        interpreter::PendingException in_flight;
        interpreter::clear_leftovers(thread.thread_state);
    }
    Reference parent = Reference::steal(get_parent(self));
    if (self->pimpl->resumer == nullptr && parent && can_go_on(thread, self, as_greenlet(parent.get()))) [[likely]] {
        leave(thread, self, as_greenlet(parent.release()), result.release());
    }
    parent = Reference();
    bool starts = false;
    Start start;
    PyGreenlet* target = successor(thread, self, result, is_exit, start, starts);
    if (!starts) {
        start = Start{};  // releases what was prepared for a greenlet that could not be started
    }
    if (starts) {
        leave(thread, self, target, start);
    }
    leave(thread, self, target, result.release());
}

}  // namespace core
