#include "core/switch.hpp"

#include "core/parent.hpp"
#include "core/start.hpp"
#include "core/transfer.hpp"
#include "interpreter/pending_exception.hpp"

namespace core {

namespace {

// True, with an exception, if a test asked for a failure.
bool injected_failure(PyGreenlet* g) {
    switch (g->pimpl->fault) {
        case Fault::none:
            return false;
        case Fault::error:
            break;
        case Fault::fatal_error:
            Py_FatalError("greenlet: switching stacks failed, as it was told to");
    }
    PyErr_SetString(PyExc_SystemError, is_started(g) ? "Failed to switch stacks into a running greenlet."
                                                     : "Failed to switch stacks into a greenlet for the first time.");
    return true;
}

}  // namespace

PyObject* switch_to(PyGreenlet* g, const Message& message) noexcept {
    return switch_to(Reference::to(as_object(g)), message, message.call());
}

PyObject* switch_to(Reference target, const Message& message, interpreter::CallInProgress call) noexcept {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    thread->run_kill_queue();
    if (!may_switch_to(as_greenlet(target.get()), *thread)) {
        return nullptr;
    }
    while (target) {
        PyGreenlet* next = as_greenlet(target.get());
        if (next->pimpl->phase != Phase::finished && injected_failure(next)) {
            return nullptr;
        }
        if (is_active(next)) {
            if (next->pimpl->thread != thread) {  // another thread started it meanwhile
                refuse_switch_to(next, *thread);
                return nullptr;
            }
            PyObject* value = as_value(message, *thread->module);
            if (value == nullptr && !message.is_exception) {
                return nullptr;
            }
            if (!is_active(next)) {  // it has finished meanwhile
                Py_XDECREF(value);
                continue;
            }
            if (next == thread->current) {
                return thread->observers != 0 ? observe(*thread, next, value) : value;
            }
            return suspend(*thread, std::move(target), value, call);
        }
        if (!is_started(next)) {
            Start start;
            switch (prepare_start(*thread, next, message, start)) {
                case Preparation::ready:
                    return launch(*thread, std::move(target), start, call);
                case Preparation::failed:
                    return nullptr;
                case Preparation::already_started:
                    continue;
            }
        }
        target = Reference::steal(get_parent(next));
    }
    PyErr_SetString(thread->module->error, "cannot switch to a garbage collected greenlet");
    return nullptr;
}

PyObject* throw_in_flight(PyGreenlet* g) noexcept {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    if (g->pimpl->phase == Phase::finished && PyErr_ExceptionMatches(thread->module->greenlet_exit)) {
        Reference exception = Reference::steal(interpreter::take_exception(true));
        PyObject* value = exception.get();
        Message message{&value, 1};
        message.is_exit = true;
        return switch_to(g, message);
    }
    return switch_to(g, Message::exception());
}

}  // namespace core
