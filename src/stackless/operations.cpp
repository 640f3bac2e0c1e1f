#include "stackless/operations.hpp"

#include <utility>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackless/active.hpp"
#include "stackless/contexts.hpp"
#include "stackless/ownership.hpp"
#include "stackless/refusal.hpp"
#include "stackless/turn.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

constexpr const char* thread_has_ended = "the tasklet has no thread: its own has ended";

// Each of these returns the reason to refuse an operation, or nullptr if there is none. The lock is held.

const char* why_not_to_bind(const Tasklet& t, bool gives_arguments) noexcept {
    return t.scheduler->is_busy_with(&t) ? "the current tasklet can't be bound anew"
           : t.is_main                   ? "a main tasklet can't be bound"
           : t.chain != Chain::none      ? "the tasklet is scheduled, so it can't be bound anew"
           : t.is_active                 ? "the tasklet has C state, its stack, so it can't be bound anew"
           : gives_arguments && t.scheduler->thread == nullptr ? thread_has_ended
                                                               : nullptr;
}

const char* why_not_to_run(const Tasklet& t) noexcept {
    return t.chain == Chain::channel                               ? "You cannot run a blocked tasklet"
           : t.scheduler->thread == nullptr && is_ready_to_run(&t) ? thread_has_ended
           : !is_alive_locked(&t)                                  ? "You cannot run an unbound(dead) tasklet"
                                                                   : nullptr;
}

const char* why_not_to_remove(const Tasklet& t) noexcept {
    return t.chain == Chain::channel       ? "You cannot remove a blocked tasklet."
           : t.scheduler->is_busy_with(&t) ? "The current tasklet cannot be removed."
                                           : nullptr;
}

const char* why_not_to_move(const Tasklet& t) noexcept {
    bool has_C_state = has_stack(&t) || (t.is_active && !interpreter::has_gil && t.scheduler->thread != nullptr);
    return t.chain != Chain::none       ? "a runnable tasklet can't be bound to another thread"
           : has_C_state                ? "the tasklet has C state, its stack, which belongs to its thread"
           : t.scheduler->current == &t ? "the current tasklet can't be bound to another thread"
                                        : nullptr;
}

}  // namespace

bool parse_thread_id(PyObject* number, unsigned long& id) noexcept {
    int overflow = 0;
    if (number == Py_None ||
        (PyLong_Check(number) && PyLong_AsLongAndOverflow(number, &overflow) == -1 && overflow == 0)) {
        return true;
    }
    id = PyLong_AsUnsignedLong(number);
    return id != static_cast<unsigned long>(-1) || PyErr_Occurred() == nullptr;
}

// --- binding ---------------------------------------------------------------------------------------------------------

bool bind(Tasklet& t, PyObject* function, PyObject* arguments, PyObject* keywords) noexcept {
    if (function != nullptr && !PyCallable_Check(function)) {
        PyErr_SetString(PyExc_TypeError, "the function of a tasklet must be callable");
        return false;
    }
    bool gives_arguments = arguments != nullptr || keywords != nullptr;
    Holding lock(tasklets_lock);
    bool lacks_function = gives_arguments && function == nullptr && t.function == nullptr;
    if (!is_allowed(why_not_to_bind(t, gives_arguments), lock)) {
        return false;
    }
    if (arguments != nullptr && !PyTuple_Check(arguments)) {
        PyErr_SetString(PyExc_TypeError, "args must be a tuple or None");
        return false;
    }
    if (keywords != nullptr && !PyDict_Check(keywords)) {
        PyErr_SetString(PyExc_TypeError, "kwargs must be a dict or None");
        return false;
    }
    if (lacks_function) {
        raise_runtime_error("the tasklet was not bound to a function");
        return false;
    }
    Reference context;
    if (function != nullptr) {
        context = Reference::steal(running_context());
        if (!context) {
            return false;
        }
    }
    Reference new_arguments = arguments != nullptr ? Reference::borrow(arguments)
                              : gives_arguments    ? Reference::steal(PyTuple_New(0))
                                                   : Reference();
    Reference new_keywords = Reference::borrow(keywords);
    Reference new_function = Reference::borrow(function);
    if (gives_arguments && !new_arguments) {
        return false;
    }
    // All is set before the old references are dropped, which may run any code.
    Reference old_function, old_context, old_greenlet;
    lock.acquire_again();
    lacks_function = gives_arguments && function == nullptr && t.function == nullptr;
    if (!interpreter::has_gil && (lacks_function || why_not_to_bind(t, gives_arguments) != nullptr)) {
        return is_allowed("another thread uses the tasklet at the same time", lock);
    }
    if (function != nullptr || !gives_arguments) {
        old_function = Reference::steal(std::exchange(t.function, new_function.release()));
        old_context = Reference::steal(std::exchange(t.context, context.release()));
        old_greenlet = Reference::steal(core::as_object(std::exchange(t.greenlet, nullptr)));  // created, but not begun
    }
    Reference old_arguments = Reference::steal(std::exchange(t.arguments, new_arguments.release()));
    Reference old_keywords = Reference::steal(std::exchange(t.keywords, new_keywords.release()));
    lock.release();
    return true;
}

bool move_to_thread(Tasklet& t, Scheduler& running, unsigned long thread_id) noexcept {
    Reference old, greenlet;
    Reference found = Scheduler::of_thread(*running.state, thread_id);
    Scheduler* target = as_scheduler(found.get());
    Holding lock(tasklets_lock);
    const char* reason = why_not_to_move(t);
    if (target != nullptr && target->thread == nullptr) {
        target = nullptr;  // the thread has ended meanwhile
    }
    if (reason == nullptr && target != nullptr) {
        if (t.is_active) {
            remove_active_locked(*t.scheduler, &t);  // its thread has ended, or its greenlet was killed
        }
        Scheduler* owned = as_scheduler(Py_NewRef(as_object(target)));
        old = Reference::steal(as_object(t.scheduler.exchange(owned)));
        greenlet = Reference::steal(core::as_object(std::exchange(t.greenlet, nullptr)));
    }
    if (!is_allowed(reason, lock)) {
        return false;
    }
    if (target == nullptr) {
        PyErr_SetString(PyExc_ValueError, interpreter::has_gil ? "there is no thread with this id"
                                                               : "no thread with this id has used tasklets");
    }
    return target != nullptr;
}

// --- scheduling ------------------------------------------------------------------------------------------------------

bool is_ready(const Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    return is_allowed(why_not_to_run(t), lock);
}

bool insert(Tasklet& t, bool is_next) noexcept {
    Holding lock(tasklets_lock);
    const char* reason = why_not_to_run(t);
    if (reason == nullptr && t.chain == Chain::none) {
        t.scheduler->make_runnable(unlink(&t), is_next);
    }
    return is_allowed(reason, lock);
}

bool remove(Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    const char* reason = why_not_to_remove(t);
    Reference removed = Reference::steal(reason == nullptr && t.chain == Chain::runnable ? as_object(unlink(&t))
                                                                                         : nullptr);
    if (removed) {
        drop_ownership(&t);
    }
    return is_allowed(reason, lock);
}

bool put_first(Scheduler& s, Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    const char* reason = t.scheduler != &s ? "the tasklet was bound to another thread meanwhile" : why_not_to_run(t);
    if (reason == nullptr && t.chain == Chain::runnable) {
        s.runnable.rotate_to(&t);
    }
    else if (reason == nullptr) {
        s.runnable.prepend(unlink(&t));
    }
    return is_allowed(reason, lock);
}

// --- exceptions ------------------------------------------------------------------------------------------------------

namespace {

// Ends a tasklet that has not begun to run, or will never be resumed. The lock is held, and released.
void end_inactive(Tasklet& t, Holding& lock) noexcept {
    Tasklet* kept = as_tasklet(Py_NewRef(as_object(&t)));
    Tasklet* removed = unlink(&t);
    unbind(&t, lock);
    Py_DECREF(removed);
    Py_DECREF(kept);
}

}  // namespace

void end_without_running(Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    PyGreenlet* greenlet = std::exchange(t.greenlet, nullptr);
    if (t.is_active) {
        remove_active_locked(*t.scheduler, &t);
    }
    end_inactive(t, lock);
    Py_XDECREF(greenlet);
}

PyObject* make_exception(PyObject* type, PyObject* value, PyObject* traceback) noexcept {
    value = none_to_null(value);
    traceback = none_to_null(traceback);
    if (traceback != nullptr && !PyTraceBack_Check(traceback)) {
        PyErr_SetString(PyExc_TypeError, "tb must be a traceback or None");
        return nullptr;
    }
    Reference exception;
    if (PyExceptionInstance_Check(type)) {
        if (value != nullptr) {
            PyErr_SetString(PyExc_TypeError, "an exception may not have a separate value");
            return nullptr;
        }
        exception = Reference::borrow(type);
    }
    else if (PyExceptionClass_Check(type)) {
        if (value != nullptr && PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(type))) {
            exception = Reference::borrow(value);
        }
        else if (value != nullptr && PyTuple_Check(value)) {
            exception = Reference::steal(PyObject_Call(type, value, nullptr));
        }
        else {
            exception = Reference::steal(value != nullptr ? PyObject_CallOneArg(type, value)
                                                          : PyObject_CallNoArgs(type));
        }
    }
    else {
        PyErr_Format(PyExc_TypeError, "exceptions must be classes, or instances, not %s", Py_TYPE(type)->tp_name);
        return nullptr;
    }
    if (exception && !PyExceptionInstance_Check(exception.get())) {
        PyErr_SetString(PyExc_TypeError, "calling the class did not make an exception");
        return nullptr;
    }
    if (exception && traceback != nullptr && PyException_SetTraceback(exception.get(), traceback) < 0) {
        return nullptr;
    }
    return exception.release();
}

PyObject* throw_into(Tasklet* t, PyObject* exception, bool pending) noexcept {
    Reference owned = Reference::steal(exception);
    core::ModuleState* module = core::ModuleState::of_interpreter();
    if (module == nullptr) {
        return nullptr;
    }
    bool is_exit = PyErr_GivenExceptionMatches(exception, layer.of(*module).tasklet_exit);
    Scheduler* s = own_scheduler(*t);
    if (s != nullptr) {
        s->thread->run_kill_queue();  // may include this one
    }
    Holding lock(tasklets_lock);
    s = t->scheduler == s ? s : nullptr;  // another thread may have bound it meanwhile
    bool is_busy = t->scheduler->is_busy_with(t);
    if (t->scheduler->thread == nullptr && is_ready_to_run(t)) {
        lock.release();
        return raise_runtime_error(thread_has_ended);
    }
    if (!is_alive_locked(t)) {
        lock.release();
        return is_exit ? Py_NewRef(Py_None) : raise_runtime_error("You cannot throw to a dead tasklet");
    }
    if (!t->is_active && is_exit && !is_busy) {
        end_inactive(*t, lock);
        Py_RETURN_NONE;
    }
    if (s != nullptr && s->current == t) {
        lock.release();
        interpreter::put_exception(owned.release());
        return nullptr;
    }
    pending = pending || s == nullptr;
    if (!pending && !s->may_switch()) {
        lock.release();
        return nullptr;
    }
    Outcome old = t->outcome.exchange(Outcome::error(owned.release()));
    if (!pending) {
        s->runnable.prepend(unlink(t));
    }
    else if (!is_busy || t->chain != Chain::runnable) {
        t->scheduler->make_runnable(unlink(t));
    }
    lock.release();
    old = Outcome();
    return pending ? Py_NewRef(Py_None) : switch_tasklets(*s, s->current, t, {});
}

PyObject* kill(Tasklet& t, bool pending) noexcept {
    if (has_ended_thread(t)) {
        end_without_running(t);
        Py_RETURN_NONE;
    }
    core::ModuleState* module = is_alive(t) ? core::ModuleState::of_interpreter() : nullptr;
    if (module == nullptr) {
        return PyErr_Occurred() ? nullptr : Py_NewRef(Py_None);
    }
    PyObject* exit = make_exception(layer.of(*module).tasklet_exit);
    return exit != nullptr ? throw_into(&t, exit, pending) : nullptr;
}

}  // namespace stackless
