// The class tasklet.

#include <cstddef>
#include <utility>

#include "core/reference.hpp"
#include "interpreter/entered_context.hpp"
#include "interpreter/frames.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackless/channel.hpp"
#include "stackless/scheduler.hpp"

#include <structmember.h>  // after Python.h

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

using Arguments = PyObject* const*;

Tasklet& of(PyObject* self) noexcept { return *as_tasklet(self); }

// nullptr for None, too: many parameters take None for "not given".
PyObject* given(PyObject* argument) noexcept { return argument != Py_None ? argument : nullptr; }

PyObject* fail(const char* message) noexcept {
    PyErr_SetString(PyExc_RuntimeError, message);
    return nullptr;
}

// Parses what "PyObject_IsTrue" is meant of: one argument, its truth in `flag`.
bool parse_flag(const char* name, Arguments args, Py_ssize_t count, bool& flag) noexcept {
    if (count != 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes exactly one argument (%zd given)", name, count);
        return false;
    }
    int truth = PyObject_IsTrue(args[0]);
    flag = truth > 0;
    return truth >= 0;
}

// The scheduler of a tasklet of the running thread; nullptr without an exception if it is of another thread.
Scheduler* own_scheduler(Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    Scheduler* s = t.scheduler;
    return s->is_running_thread() ? s : nullptr;
}

// Lets go of the lock, and sets RuntimeError if there is a reason to refuse what is asked for. True if there is none.
bool is_allowed(const char* reason, Holding& lock) noexcept {
    lock.release();
    if (reason != nullptr) {
        fail(reason);
    }
    return reason == nullptr;
}

bool is_alive_now(const Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    return is_alive(&t);
}

bool has_no_thread(const Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    return t.scheduler->thread == nullptr;
}

constexpr const char* thread_has_ended = "the tasklet has no thread: its own has ended";

// --- creation and binding --------------------------------------------------------------------------------------------

PyObject* tasklet_new(PyTypeObject* type, PyObject*, PyObject*) {
    Scheduler* s = Scheduler::running();
    return s != nullptr ? as_object(make_tasklet(type, *s)) : nullptr;
}

// The context of the running greenlet: a new reference. Made if there is none yet.
PyObject* running_context() noexcept {
    PyThreadState* ts = interpreter::current_thread_state();
    if (interpreter::running_context(ts) == nullptr) {
        PyObject* context = PyContext_New();
        if (context == nullptr) {
            return nullptr;
        }
        Py_XDECREF(interpreter::exchange_running_context(ts, context));
    }
    return Py_NewRef(interpreter::running_context(ts));
}

// nullptr if it can be bound anew. The lock is held.
const char* why_not_to_bind(const Tasklet& t) noexcept {
    return t.scheduler->is_busy_with(&t) ? "the current tasklet can't be bound anew"
           : t.is_main                   ? "a main tasklet can't be bound"
           : t.chain != Chain::none      ? "the tasklet is scheduled, so it can't be bound anew"
           : t.is_active                 ? "the tasklet has C state, its stack, so it can't be bound anew"
                                         : nullptr;
}

// nullptr stands for "not given". 0, or -1 with an exception.
int bind(Tasklet& t, PyObject* function, PyObject* arguments, PyObject* keywords) noexcept {
    if (function != nullptr && !PyCallable_Check(function)) {
        PyErr_SetString(PyExc_TypeError, "the function of a tasklet must be callable");
        return -1;
    }
    bool gives_arguments = arguments != nullptr || keywords != nullptr;
    Holding lock(tasklets_lock);
    bool lacks_function = gives_arguments && function == nullptr && t.function == nullptr;
    if (!is_allowed(why_not_to_bind(t), lock)) {
        return -1;
    }
    if (arguments != nullptr && !PyTuple_Check(arguments)) {
        PyErr_SetString(PyExc_TypeError, "args must be a tuple or None");
        return -1;
    }
    if (keywords != nullptr && !PyDict_Check(keywords)) {
        PyErr_SetString(PyExc_TypeError, "kwargs must be a dict or None");
        return -1;
    }
    if (lacks_function) {
        fail("the tasklet was not bound to a function");
        return -1;
    }
    Reference context;
    if (function != nullptr) {
        context = Reference::steal(running_context());
        if (!context) {
            return -1;
        }
    }
    Reference new_arguments = arguments != nullptr ? Reference::borrow(arguments)
                              : gives_arguments    ? Reference::steal(PyTuple_New(0))
                                                   : Reference();
    Reference new_keywords = Reference::borrow(keywords);
    Reference new_function = Reference::borrow(function);
    if (gives_arguments && !new_arguments) {
        return -1;
    }
    // All is set before what it was bound to goes, which may run code.
    Reference old_function, old_context, old_greenlet;
    lock.acquire_again();
    lacks_function = gives_arguments && function == nullptr && t.function == nullptr;
    if (!interpreter::threads_take_turns && (lacks_function || why_not_to_bind(t) != nullptr)) {
        is_allowed("another thread uses the tasklet at the same time", lock);
        return -1;
    }
    if (function != nullptr || !gives_arguments) {
        old_function = Reference::steal(std::exchange(t.function, new_function.release()));
        old_context = Reference::steal(std::exchange(t.context, context.release()));
        old_greenlet = Reference::steal(core::as_object(std::exchange(t.greenlet, nullptr)));  // made for it, but not begun
    }
    Reference old_arguments = Reference::steal(std::exchange(t.arguments, new_arguments.release()));
    Reference old_keywords = Reference::steal(std::exchange(t.keywords, new_keywords.release()));
    lock.release();
    return 0;
}

bool parse_binding(PyObject* args, PyObject* kwargs, const char* format, PyObject** values) noexcept {
    static const char* names[] = {"func", "args", "kwargs", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, const_cast<char**>(names), &values[0], &values[1],
                                     &values[2])) {
        return false;
    }
    for (int i = 0; i < 3; ++i) {
        values[i] = values[i] != nullptr ? given(values[i]) : nullptr;
    }
    return true;
}

int tasklet_init(PyObject* self, PyObject* args, PyObject* kwargs) {
    if (kwargs == nullptr && PyTuple_GET_SIZE(args) == 1) [[likely]] {
        return bind(of(self), given(PyTuple_GET_ITEM(args, 0)), nullptr, nullptr);
    }
    PyObject* values[3] = {};
    if (!parse_binding(args, kwargs, "|OOO:tasklet", values)) {
        return -1;
    }
    return bind(of(self), values[0], values[1], values[2]);
}

PyDoc_STRVAR(bind_doc,
"bind($self, /, func=None, args=None, kwargs=None)\n--\n\n"
"Bind the tasklet to a function, to its arguments, or to both. It is not scheduled.\n\n"
"Parameters:\n"
"    func: what to call; None keeps the one bound before, if there are arguments. The tasklet then\n"
"        runs in the contextvars.Context of the current one.\n"
"    args, kwargs: a tuple and a dict, or None. With one of them the tasklet is alive.\n"
"    All three None: the tasklet is bound to nothing.\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: it is the main tasklet, is scheduled, or has begun to run and not ended; or\n"
"        there are arguments, but no function.\n"
"    TypeError: func is not callable, args no tuple, or kwargs no dict.");

PyObject* tasklet_bind(PyObject* self, PyObject* args, PyObject* kwargs) {
    PyObject* values[3] = {};
    if (!parse_binding(args, kwargs, "|OOO:bind", values) || bind(of(self), values[0], values[1], values[2]) < 0) {
        return nullptr;
    }
    return Py_NewRef(self);
}

// nullptr if it can be made runnable, or run. The lock is held.
const char* why_not_to_run(const Tasklet& t) noexcept {
    return t.chain == Chain::channel         ? "You cannot run a blocked tasklet"
           : !is_alive(&t)                   ? "You cannot run an unbound(dead) tasklet"
           : t.scheduler->thread == nullptr  ? thread_has_ended
                                             : nullptr;
}

// Can it? If not, sets RuntimeError.
bool is_ready(Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    return is_allowed(why_not_to_run(t), lock);
}

// Makes a tasklet runnable; `is_next`: before the others. False with an exception.
bool insert(Tasklet& t, bool is_next = false) noexcept {
    Holding lock(tasklets_lock);
    const char* reason = why_not_to_run(t);
    if (reason == nullptr && t.chain == Chain::none) {
        t.scheduler->deliver(as_tasklet(Py_NewRef(as_object(&t))), is_next);
    }
    return is_allowed(reason, lock);
}

PyDoc_STRVAR(setup_doc,
"setup($self, /, *args, **kwargs)\n--\n\n"
"Give the bound function its arguments, and schedule the tasklet. Calling the tasklet does the same.\n\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: it is alive already, or bound to no function.");

PyObject* tasklet_setup(PyObject* self, PyObject* args, PyObject* kwargs) {
    if (is_alive_now(of(self))) {
        return fail("tasklet is alive");
    }
    if (bind(of(self), nullptr, args, kwargs) < 0 || !insert(of(self))) {
        return nullptr;
    }
    return Py_NewRef(self);
}

PyDoc_STRVAR(insert_doc,
"insert($self, /)\n--\n\n"
"Put the tasklet at the end of the runnable ones. Nothing happens if it is one of them.\n\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: it is blocked on a channel, not alive, or its thread has ended.");

PyObject* tasklet_insert(PyObject* self, PyObject*) {
    return insert(of(self)) ? Py_NewRef(self) : nullptr;
}

PyDoc_STRVAR(remove_doc,
"remove($self, /)\n--\n\n"
"Take the tasklet out of the runnable ones: it is paused, until insert(), run() or switch().\n\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: it is the current tasklet of its thread, or blocked on a channel.");

PyObject* tasklet_remove(PyObject* self, PyObject*) {
    Tasklet& t = of(self);
    Holding lock(tasklets_lock);
    const char* reason = t.chain == Chain::channel         ? "You cannot remove a blocked tasklet."
                         : t.scheduler->is_busy_with(&t)   ? "The current tasklet cannot be removed."
                                                           : nullptr;
    Tasklet* removed = reason == nullptr && t.chain == Chain::runnable ? take_out(&t) : nullptr;
    bool is_removed = is_allowed(reason, lock);
    Py_XDECREF(removed);
    return is_removed ? Py_NewRef(self) : nullptr;
}

// nullptr if it can get another thread. The lock is held.
const char* why_not_to_move(const Tasklet& t) noexcept {
    bool has_C_state = has_stack(&t) || (t.is_active && !interpreter::threads_take_turns && t.scheduler->thread != nullptr);
    return t.chain != Chain::none            ? "a runnable tasklet can't be bound to another thread"
           : has_C_state                     ? "the tasklet has C state, its stack, which belongs to its thread"
           : t.scheduler->current == &t      ? "the current tasklet can't be bound to another thread"
                                             : nullptr;
}

PyDoc_STRVAR(bind_thread_doc,
"bind_thread($self, thread_id=None, /)\n--\n\n"
"Have the tasklet run by another thread.\n\n"
"Parameters:\n"
"    thread_id: the thread, which must have used this module; the running one if None.\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: the tasklet has begun to run, or is scheduled.\n"
"    ValueError: there is no such thread, or it has not used this module.");

PyObject* tasklet_bind_thread(PyObject* self, PyObject* args) {
    PyObject* id = nullptr;
    if (!PyArg_ParseTuple(args, "|O:bind_thread", &id)) {
        return nullptr;
    }
    Tasklet& t = of(self);
    Scheduler* running = Scheduler::running();
    if (running == nullptr) {
        return nullptr;
    }
    unsigned long thread_id = running->thread_id;
    if (id != nullptr && id != Py_None) {
        thread_id = PyLong_AsUnsignedLong(id);
        if (thread_id == static_cast<unsigned long>(-1) && PyErr_Occurred()) {
            return nullptr;
        }
    }
    Reference old, greenlet;
    const char* reason;
    Scheduler* target;
    {
        Holding lock(tasklets_lock);
        reason = why_not_to_move(t);
        target = reason == nullptr ? running->state->schedulers : nullptr;
        while (target != nullptr && target->thread_id != thread_id) {
            target = target->next_scheduler;
        }
        if (target != nullptr) {
            if (t.is_active) {
                t.scheduler->forget_active(&t);  // of a thread that has ended, or its greenlet was killed
            }
            Scheduler* owned = reinterpret_cast<Scheduler*>(Py_NewRef(reinterpret_cast<PyObject*>(target)));
            old = Reference::steal(reinterpret_cast<PyObject*>(t.scheduler.exchange(owned)));
            greenlet = Reference::steal(core::as_object(std::exchange(t.greenlet, nullptr)));
        }
    }
    if (reason != nullptr) {
        return fail(reason);
    }
    if (target == nullptr) {
        PyErr_SetString(PyExc_ValueError, "no thread with this id has used tasklets");
        return nullptr;
    }
    return Py_NewRef(self);
}

// --- switching -------------------------------------------------------------------------------------------------------

// Puts a tasklet of the running thread first. False with an exception if it can't be run.
bool put_first(Scheduler& s, Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    const char* reason = t.scheduler != &s ? "the tasklet was bound to another thread meanwhile" : why_not_to_run(t);
    if (reason == nullptr && t.chain == Chain::runnable) {
        s.first = &t;
    }
    else if (reason == nullptr) {
        s.prepend(take_out(&t));
    }
    return is_allowed(reason, lock);
}

PyDoc_STRVAR(run_doc,
"run($self, /)\n--\n\n"
"Run the tasklet at once. The current one stays scheduled.\n\n"
"A scheduled tasklet goes on with those behind it in the chain to follow, a paused one is put before\n"
"the current one. One of another thread is only scheduled there, as the next one.\n\n"
"Raises:\n"
"    RuntimeError: it is blocked on a channel, not alive, or its thread has ended; or switches are\n"
"        trapped, see switch_trap().");

PyObject* tasklet_run(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    Tasklet& t = of(self);
    if (count != 0) {
        PyErr_Format(PyExc_TypeError, "run() takes no arguments (%zd given)", count);
        return nullptr;
    }
    Scheduler* s = own_scheduler(t);
    if (s == nullptr) {
        return insert(t, true) ? Py_NewRef(Py_None) : nullptr;
    }
    if (!is_ready(t)) {
        return nullptr;
    }
    if (s->current == &t) {
        Py_RETURN_NONE;
    }
    s->thread->kill_released();  // which may end it
    return s->may_switch() && put_first(*s, t) ? s->go_on(s->current, &t, {args, count, nullptr}) : nullptr;
}

PyDoc_STRVAR(switch_doc,
"switch($self, /)\n--\n\n"
"Run the tasklet at once, and pause the current one.\n\n"
"Raises:\n"
"    RuntimeError: as for run(), or the tasklet belongs to another thread.");

PyObject* tasklet_switch(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    Tasklet& t = of(self);
    if (count != 0) {
        PyErr_Format(PyExc_TypeError, "switch() takes no arguments (%zd given)", count);
        return nullptr;
    }
    if (!is_ready(t)) {
        return nullptr;
    }
    Scheduler* s = own_scheduler(t);
    if (s == nullptr) {
        return fail("the tasklet belongs to a different thread, so it can't be switched to");
    }
    if (s->current == &t) {
        Py_RETURN_NONE;
    }
    s->thread->kill_released();  // which may end it
    if (!s->may_switch() || !put_first(*s, t)) {
        return nullptr;
    }
    Tasklet* current = s->current;
    {
        Holding lock(tasklets_lock);
        s->remove(current);
    }
    Py_DECREF(current);
    return s->go_on(current, &t, {args, count, nullptr});
}

// --- exceptions ------------------------------------------------------------------------------------------------------

// Ends a tasklet that has not begun to run, or never will go on. The lock is held, at first.
void end_unstarted(Tasklet& t, Holding& lock) noexcept {
    Tasklet* held = as_tasklet(Py_NewRef(as_object(&t)));
    Tasklet* removed = take_out(&t);
    unbind(&t, lock);
    Py_DECREF(removed);
    Py_DECREF(held);
}

PyDoc_STRVAR(throw_doc,
"throw($self, /, exc=None, val=None, tb=None, pending=False)\n--\n\n"
"Raise an exception in the tasklet, wherever it is suspended.\n\n"
"Parameters:\n"
"    exc: a class of exceptions or an exception.\n"
"    val: what to make the exception with, or one of that class; None if exc is an exception.\n"
"    tb: the traceback to begin with, or None.\n"
"    pending: schedule the tasklet and go on. Otherwise it is put before the current one, and runs at once;\n"
"        if it belongs to another thread it is scheduled there all the same.\n"
"Raises:\n"
"    RuntimeError: it is not alive, and exc is not TaskletExit; its thread has ended; or switches are\n"
"        trapped.\n"
"    TypeError: exc, val and tb are not of these kinds.\n"
"    Whatever is raised in the current tasklet meanwhile; exc, if the tasklet is the current one.");

PyObject* tasklet_throw(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"exc", "val", "tb", "pending", nullptr};
    PyObject *type = Py_None, *value = Py_None, *traceback = Py_None;
    int pending = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOp:throw", const_cast<char**>(names), &type, &value, &traceback,
                                     &pending)) {
        return nullptr;
    }
    PyObject* exception = make_exception(type, value, traceback);
    return exception != nullptr ? throw_into(&of(self), exception, pending != 0) : nullptr;
}

PyDoc_STRVAR(raise_exception_doc,
"raise_exception($self, exc_class, /, *args)\n--\n\n"
"Raise an exception in the tasklet at once, like throw(exc_class(*args)).\n\n"
"Raises:\n"
"    TypeError: exc_class is no class of exceptions.\n"
"    What throw() raises.");

PyObject* tasklet_raise_exception(PyObject* self, PyObject* args) {
    if (PyTuple_GET_SIZE(args) < 1 || !PyExceptionClass_Check(PyTuple_GET_ITEM(args, 0))) {
        PyErr_SetString(PyExc_TypeError, "raise_exception() needs a class of exceptions first");
        return nullptr;
    }
    Reference rest = Reference::steal(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
    PyObject* exception = rest ? PyObject_Call(PyTuple_GET_ITEM(args, 0), rest.get(), nullptr) : nullptr;
    return exception != nullptr ? throw_into(&of(self), exception, false) : nullptr;
}

// Ends a tasklet whose thread is gone.
void drop_stack(Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    PyGreenlet* greenlet = std::exchange(t.greenlet, nullptr);
    if (t.is_active) {
        t.scheduler->forget_active(&t);
    }
    end_unstarted(t, lock);
    Py_XDECREF(greenlet);
}

PyObject* kill(Tasklet& t, bool pending) noexcept {
    if (has_no_thread(t)) {
        drop_stack(t);
        Py_RETURN_NONE;
    }
    core::ModuleState* module = is_alive_now(t) ? core::ModuleState::of_interpreter() : nullptr;
    if (module == nullptr) {
        return PyErr_Occurred() ? nullptr : Py_NewRef(Py_None);
    }
    PyObject* exit = PyObject_CallNoArgs(module->stackless->tasklet_exit);
    return exit != nullptr ? throw_into(&t, exit, pending) : nullptr;
}

PyDoc_STRVAR(kill_doc,
"kill($self, /, pending=False)\n--\n\n"
"End the tasklet: raise TaskletExit in it, if it is alive.\n\n"
"One that has not begun to run just ends, as does one whose thread has ended.\n\n"
"Parameters:\n"
"    pending: as for throw().\n"
"Raises:\n"
"    RuntimeError: switches are trapped.\n"
"    TaskletExit: it is the current tasklet.");

PyObject* tasklet_kill(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"pending", nullptr};
    int pending = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:kill", const_cast<char**>(names), &pending)) {
        return nullptr;
    }
    return kill(of(self), pending != 0);
}

// --- flags -----------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(set_atomic_doc,
"set_atomic($self, flag, /)\n--\n\n"
"Say whether the watchdog of run(timeout) must leave the tasklet alone.\n\n"
"Returns:\n"
"    What was said before.");

PyObject* tasklet_set_atomic(PyObject* self, Arguments args, Py_ssize_t count) {
    bool flag;
    if (!parse_flag("set_atomic", args, count, flag)) {
        return nullptr;
    }
    Tasklet& t = of(self);
    bool old = std::exchange(t.atomic, flag);
    Scheduler* s = flag ? nullptr : own_scheduler(t);
    if (s != nullptr && s->interrupt_is_due && s->current == &t && !s->interrupt()) {
        return nullptr;
    }
    return PyBool_FromLong(old);
}

PyDoc_STRVAR(set_ignore_nesting_doc,
"set_ignore_nesting($self, flag, /)\n--\n\n"
"Say whether the tasklet may be interrupted at any nesting_level. It may anyway: kept for programs that say so.\n\n"
"Returns:\n"
"    What was said before.");

PyObject* tasklet_set_ignore_nesting(PyObject* self, Arguments args, Py_ssize_t count) {
    bool flag;
    if (!parse_flag("set_ignore_nesting", args, count, flag)) {
        return nullptr;
    }
    return PyBool_FromLong(std::exchange(of(self).ignore_nesting, flag));
}

// --- contexts --------------------------------------------------------------------------------------------------------

bool is_current_here(Tasklet& t) noexcept {
    Scheduler* s = own_scheduler(t);
    return s != nullptr && s->current == &t;
}

// May the context of a tasklet that is not the current one of this thread be used? The lock is held. If threads do not take turns,
// one that has a stack may be resumed by its own at any time.
bool has_context_at_hand(Tasklet& t) noexcept {
    bool may_run = t.is_active && !interpreter::threads_take_turns && !t.scheduler->is_running_thread();
    return !may_run && !t.scheduler->is_busy_with(&t);
}

// Where the context of a tasklet is that does not run. The lock is held.
PyObject** context_of(Tasklet& t) noexcept {
    if (t.greenlet == nullptr) {
        return &t.context;
    }
    core::Greenlet& greenlet = *t.greenlet->pimpl;
    return greenlet.activation != nullptr ? &greenlet.activation->state.context : &greenlet.context;
}

PyDoc_STRVAR(set_context_doc,
"set_context($self, context, /)\n--\n\n"
"Set the contextvars.Context that the tasklet runs in. (Without it that is the one of the tasklet that bound it.)\n\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    TypeError: context is no contextvars.Context.\n"
"    RuntimeError: the tasklet belongs to another thread and is current or scheduled; or the context\n"
"        it runs in is in use by Context.run().");

PyObject* tasklet_set_context(PyObject* self, PyObject* context) {
    Tasklet& t = of(self);
    if (!PyContext_CheckExact(context)) {
        PyErr_SetString(PyExc_TypeError, "context must be a contextvars.Context");
        return nullptr;
    }
    bool is_own = own_scheduler(t) != nullptr;
    bool is_current = is_current_here(t);
    PyThreadState* ts = interpreter::current_thread_state();
    Reference old;
    Holding lock(tasklets_lock);
    if (!is_own && (t.chain != Chain::none || !has_context_at_hand(t))) {
        lock.release();
        return fail("the tasklet is scheduled in another thread");
    }
    if (t.is_active && interpreter::is_entered(is_current ? interpreter::running_context(ts) : *context_of(t))) {
        lock.release();
        return fail("the context of the tasklet is in use by Context.run()");
    }
    old = Reference::steal(is_current ? interpreter::exchange_running_context(ts, Py_NewRef(context))
                                      : std::exchange(*context_of(t), Py_NewRef(context)));
    lock.release();
    return Py_NewRef(self);
}

PyDoc_STRVAR(context_run_doc,
"context_run($self, callable, /, *args, **kwargs)\n--\n\n"
"Call callable(*args, **kwargs) in the contextvars.Context of the tasklet, in the current one.\n\n"
"Returns:\n"
"    What it returns.\n"
"Raises:\n"
"    RuntimeError: the tasklet is the current one of another thread.\n"
"    What callable raises.");

PyObject* tasklet_context_run(PyObject* self, Arguments args, Py_ssize_t count, PyObject* names) {
    Tasklet& t = of(self);
    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "context_run() needs a callable");
        return nullptr;
    }
    if (is_current_here(t)) {
        return PyObject_Vectorcall(args[0], args + 1, static_cast<std::size_t>(count - 1), names);
    }
    Reference made = Reference::steal(PyContext_New());
    if (!made) {
        return nullptr;
    }
    Reference context;
    {
        Holding lock(tasklets_lock);
        if (has_context_at_hand(t)) {
            PyObject*& place = *context_of(t);
            place = place != nullptr ? place : made.release();
            context = Reference::borrow(place);
        }
    }
    if (!context) {
        return fail("the tasklet is the current one of another thread");
    }
    PyThreadState* ts = interpreter::current_thread_state();
    PyObject* before = interpreter::exchange_running_context(ts, context.release());
    PyObject* result = PyObject_Vectorcall(args[0], args + 1, static_cast<std::size_t>(count - 1), names);
    Py_XDECREF(interpreter::exchange_running_context(ts, before));
    return result;
}

// --- pickling --------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(reduce_doc,
"__reduce__($self, /)\n--\n\n"
"For pickle and copy: a tasklet that has not begun to run, or has ended.\n\n"
"Raises:\n"
"    NotImplementedError: it has begun to run. Its C stack can't be pickled.");

PyObject* tasklet_reduce(PyObject* self, PyObject*) {
    Tasklet& t = of(self);
    Holding lock(tasklets_lock);
    bool is_active = t.is_active;
    bool is_runnable = t.chain == Chain::runnable;
    Reference function = Reference::borrow(t.function);
    Reference arguments = Reference::borrow(t.arguments);
    Reference keywords = Reference::borrow(t.keywords);
    lock.release();
    if (is_active) {
        PyErr_SetString(PyExc_NotImplementedError,
                        "a tasklet that has begun to run can't be pickled: it has a C stack, which only means something "
                        "in this process");
        return nullptr;
    }
    auto or_none = [](const Reference& object) { return object ? object.get() : Py_None; };
    auto truth = [](bool flag) { return flag ? Py_True : Py_False; };
    return Py_BuildValue("O()(OOOOOOO)", Py_TYPE(self), or_none(function), or_none(arguments), or_none(keywords),
                         truth(t.atomic), truth(t.block_trap), truth(t.ignore_nesting), truth(is_runnable));
}

PyDoc_STRVAR(setstate_doc,
"__setstate__($self, state, /)\n--\n\n"
"For pickle and copy: what __reduce__() made. A tasklet that was scheduled is scheduled, in the running thread.");

PyObject* tasklet_setstate(PyObject* self, PyObject* state) {
    Tasklet& t = of(self);
    PyObject *function, *arguments, *keywords;
    int atomic, block_trap, ignore_nesting, scheduled;
    if (!PyTuple_Check(state)) {
        PyErr_SetString(PyExc_TypeError, "the state of a tasklet is a tuple");
        return nullptr;
    }
    if (!PyArg_ParseTuple(state, "OOOpppp:__setstate__", &function, &arguments, &keywords, &atomic, &block_trap,
                          &ignore_nesting, &scheduled) ||
        bind(t, given(function), given(arguments), given(keywords)) < 0) {
        return nullptr;
    }
    t.atomic = atomic;
    t.block_trap = block_trap;
    t.ignore_nesting = ignore_nesting;
    if (scheduled && !insert(t)) {
        return nullptr;
    }
    return Py_NewRef(self);
}

// --- attributes ------------------------------------------------------------------------------------------------------

PyObject* get_alive(PyObject* self, void*) { return PyBool_FromLong(is_alive_now(of(self))); }
PyObject* get_paused(PyObject* self, void*) {
    return PyBool_FromLong(is_alive_now(of(self)) && of(self).chain == Chain::none);
}
PyObject* get_blocked(PyObject* self, void*) { return PyBool_FromLong(of(self).chain == Chain::channel); }
PyObject* get_scheduled(PyObject* self, void*) { return PyBool_FromLong(of(self).chain != Chain::none); }
PyObject* get_restorable(PyObject* self, void*) { return PyBool_FromLong(!of(self).is_active); }
PyObject* get_atomic(PyObject* self, void*) { return PyBool_FromLong(of(self).atomic); }
PyObject* get_ignore_nesting(PyObject* self, void*) { return PyBool_FromLong(of(self).ignore_nesting); }
PyObject* get_block_trap(PyObject* self, void*) { return PyBool_FromLong(of(self).block_trap); }
PyObject* get_is_main(PyObject* self, void*) { return PyBool_FromLong(of(self).is_main); }
PyObject* get_is_current(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    return PyBool_FromLong(of(self).scheduler->current == &of(self));
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
    of(self).block_trap = truth;
    return 0;
}

PyObject* get_thread_id(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    const Scheduler& s = *of(self).scheduler;
    bool has_thread = s.thread != nullptr;
    unsigned long id = s.thread_id;
    lock.release();
    return has_thread ? PyLong_FromUnsignedLong(id) : PyLong_FromLong(-1);
}

PyObject* get_next(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    Tasklet* next = of(self).next;
    return Py_NewRef(next != nullptr ? as_object(next) : Py_None);
}

PyObject* get_previous(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    Tasklet* previous = of(self).previous;
    return Py_NewRef(previous != nullptr ? as_object(previous) : Py_None);
}

// Before a tasklet is alive, its `tempval` is the function it is bound to. The lock is held.
bool is_only_bound(Tasklet& t) noexcept { return t.function != nullptr && !is_alive(&t); }

PyObject* get_tempval(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    PyObject* value = is_only_bound(of(self)) ? of(self).function : of(self).value;
    return Py_NewRef(value != nullptr ? value : Py_None);
}

int set_tempval(PyObject* self, PyObject* value, void*) {
    Holding lock(tasklets_lock);
    PyObject* old = is_only_bound(of(self)) && value != nullptr
                        ? std::exchange(of(self).function, Py_NewRef(value))
                        : exchange_value(&of(self), Py_XNewRef(value), false);
    lock.release();
    Py_XDECREF(old);
    return 0;
}

// The innermost frame: a new reference, or nullptr without an exception if there is none or it is in use by another thread.
PyFrameObject* innermost_frame(Tasklet& t) noexcept {
    Scheduler* own = own_scheduler(t);
    if (!t.is_active || (own == nullptr && (!interpreter::threads_take_turns || t.scheduler->thread == nullptr))) {
        return nullptr;
    }
    if (t.scheduler->current == &t) {
        auto* frame = own != nullptr ? PyEval_GetFrame() : nullptr;
        return reinterpret_cast<PyFrameObject*>(Py_XNewRef(reinterpret_cast<PyObject*>(frame)));
    }
    core::Greenlet& greenlet = *t.greenlet->pimpl;
    if (greenlet.activation == nullptr || greenlet.thread->current == t.greenlet) {
        return nullptr;
    }
    return interpreter::innermost_frame_object(interpreter::current_thread_state(), greenlet.activation->state);
}

PyObject* get_frame(PyObject* self, void*) {
    auto* frame = reinterpret_cast<PyObject*>(innermost_frame(of(self)));
    if (frame == nullptr && PyErr_Occurred()) {
        return nullptr;
    }
    return frame != nullptr ? frame : Py_NewRef(Py_None);
}

PyObject* get_recursion_depth(PyObject* self, void*) {
    PyFrameObject* frame = innermost_frame(of(self));
    long depth = 0;
    while (frame != nullptr) {
        ++depth;
        PyFrameObject* back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    return PyErr_Occurred() ? nullptr : PyLong_FromLong(depth);
}

PyObject* get_trace_function(PyObject* self, void*) { return get_hook(of(self), Hook::trace); }
PyObject* get_profile_function(PyObject* self, void*) { return get_hook(of(self), Hook::profile); }

int set_function(PyObject* self, Hook hook, PyObject* function) noexcept {
    if (function != nullptr && function != Py_None && !PyCallable_Check(function)) {
        PyErr_SetString(PyExc_TypeError, "a callable or None is needed");
        return -1;
    }
    return set_hook(of(self), hook, function);
}

int set_trace_function(PyObject* self, PyObject* value, void*) { return set_function(self, Hook::trace, value); }
int set_profile_function(PyObject* self, PyObject* value, void*) { return set_function(self, Hook::profile, value); }

// --- the object ------------------------------------------------------------------------------------------------------

int traverse(PyObject* self, visitproc visit, void* arg) {
    Tasklet& t = of(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(t.greenlet);
    Py_VISIT(t.value);
    Py_VISIT(t.function);
    Py_VISIT(t.arguments);
    Py_VISIT(t.keywords);
    Py_VISIT(t.context);
    for (PyObject* function : t.hooks.functions) {
        Py_VISIT(function);
    }
    return 0;
}

int clear(PyObject* self) {
    Tasklet& t = of(self);
    if (t.is_active) {
        return 0;  // it did not let itself be killed
    }
    exchange_greenlet(&t, nullptr);
    unbind(&t);
    clear_hooks(t.hooks);
    return 0;
}

// Garbage: runs its `finally` blocks.
void finalize(PyObject* self) {
    Tasklet& t = of(self);
    if (!t.is_active || t.is_main || interpreter::is_finalizing() || has_no_thread(t)) {
        return;
    }
    Scheduler* s = own_scheduler(t);
    if (s == nullptr || s->is_switching()) {
        return;  // its greenlet is garbage too, and is killed in its thread when that is possible
    }
    interpreter::PendingException in_flight;
    long trap = std::exchange(s->switch_trap, 0);
    for (int round = 0; round < 10 && t.is_active && s->current != &t; ++round) {
        Reference done = Reference::steal(kill(t, false));
        if (!done) {
            PyErr_WriteUnraisable(self);
        }
    }
    s->switch_trap += trap;
}

void deallocate(PyObject* self) {
    Tasklet& t = of(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, deallocate);
    if (t.weak_references != nullptr) {
        PyObject_ClearWeakRefs(self);
    }
    if (t.is_active && !t.is_main) {
        t.scheduler->remove_active(&t);  // its greenlet was abandoned
    }
    Py_CLEAR(t.greenlet);
    unbind(&t);
    clear_hooks(t.hooks);
    Py_XDECREF(reinterpret_cast<PyObject*>(t.scheduler.get()));
    PyTypeObject* type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
    Py_TRASHCAN_END;
}

PyDoc_STRVAR(tasklet_doc,
"tasklet(func=None, args=None, kwargs=None)\n--\n\n"
"A function that the scheduler of the thread runs in turn with others.\n\n"
"tasklet(func)(*args, **kwargs) makes one and schedules it; run() then calls func(*args, **kwargs).\n\n"
"Parameters:\n"
"    func, args, kwargs: as for bind().");

template <class Function>
PyCFunction as_method(Function function) noexcept {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {
    {"bind", as_method(tasklet_bind), METH_VARARGS | METH_KEYWORDS, bind_doc},
    {"setup", as_method(tasklet_setup), METH_VARARGS | METH_KEYWORDS, setup_doc},
    {"insert", tasklet_insert, METH_NOARGS, insert_doc},
    {"remove", tasklet_remove, METH_NOARGS, remove_doc},
    {"bind_thread", tasklet_bind_thread, METH_VARARGS, bind_thread_doc},
    {"run", as_method(tasklet_run), METH_FASTCALL, run_doc},
    {"switch", as_method(tasklet_switch), METH_FASTCALL, switch_doc},
    {"throw", as_method(tasklet_throw), METH_VARARGS | METH_KEYWORDS, throw_doc},
    {"raise_exception", tasklet_raise_exception, METH_VARARGS, raise_exception_doc},
    {"kill", as_method(tasklet_kill), METH_VARARGS | METH_KEYWORDS, kill_doc},
    {"set_atomic", as_method(tasklet_set_atomic), METH_FASTCALL, set_atomic_doc},
    {"set_ignore_nesting", as_method(tasklet_set_ignore_nesting), METH_FASTCALL, set_ignore_nesting_doc},
    {"set_context", tasklet_set_context, METH_O, set_context_doc},
    {"context_run", as_method(tasklet_context_run), METH_FASTCALL | METH_KEYWORDS, context_run_doc},
    {"__reduce__", tasklet_reduce, METH_NOARGS, reduce_doc},
    {"__setstate__", tasklet_setstate, METH_O, setstate_doc},
    {},
};

PyGetSetDef attributes[] = {
    {"alive", get_alive, nullptr, "Has it a function and arguments, and has not ended?", nullptr},
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
     "What the call that suspended the tasklet will return. Of one that is bound but not alive: its function.", nullptr},
    {"frame", get_frame, nullptr, "Its innermost frame; None before it runs and after it ended.", nullptr},
    {"recursion_depth", get_recursion_depth, nullptr, "How many frames it has.", nullptr},
    {"nesting_level", get_nesting_level, nullptr,
     "Always 0: a tasklet has a stack of its own, so calls through C functions do not keep it from switching.", nullptr},
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

PyMemberDef offsets[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Tasklet, weak_references), READONLY, nullptr},
    {},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(tasklet_doc)},
    {Py_tp_new, reinterpret_cast<void*>(tasklet_new)},
    {Py_tp_init, reinterpret_cast<void*>(tasklet_init)},
    {Py_tp_call, reinterpret_cast<void*>(tasklet_setup)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_finalize, reinterpret_cast<void*>(finalize)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, offsets},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet.stackless.tasklet",
    sizeof(Tasklet),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    slots,
};

}  // namespace

PyObject* make_tasklet_type() noexcept { return PyType_FromSpec(&spec); }

Tasklet* make_tasklet(PyTypeObject* type, Scheduler& scheduler) noexcept {
    Tasklet* t = as_tasklet(type->tp_alloc(type, 0));
    if (t != nullptr) {
        t->scheduler = reinterpret_cast<Scheduler*>(Py_NewRef(reinterpret_cast<PyObject*>(&scheduler)));
    }
    return t;
}

PyObject* make_exception(PyObject* type, PyObject* value, PyObject* traceback) noexcept {
    value = given(value);
    traceback = given(traceback);
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
            exception = Reference::steal(value != nullptr ? PyObject_CallOneArg(type, value) : PyObject_CallNoArgs(type));
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
    Reference held = Reference::steal(exception);
    core::ModuleState* module = core::ModuleState::of_interpreter();
    if (module == nullptr) {
        return nullptr;
    }
    bool is_exit = PyErr_GivenExceptionMatches(exception, module->stackless->tasklet_exit);
    Scheduler* s = own_scheduler(*t);
    if (s != nullptr) {
        s->thread->kill_released();  // which may include this one
    }
    Holding lock(tasklets_lock);
    s = t->scheduler == s ? s : nullptr;  // another thread may have bound it meanwhile
    bool is_busy = t->scheduler->is_busy_with(t);
    if (t->scheduler->thread == nullptr && (t->is_active || is_alive(t))) {
        lock.release();
        return fail(thread_has_ended);
    }
    if (!is_alive(t)) {
        lock.release();
        return is_exit ? Py_NewRef(Py_None) : fail("You cannot throw to a dead tasklet");
    }
    if (!t->is_active && is_exit && !is_busy) {
        end_unstarted(*t, lock);
        Py_RETURN_NONE;
    }
    if (s != nullptr && s->current == t) {
        lock.release();
        interpreter::put_exception(held.release());
        return nullptr;
    }
    pending = pending || s == nullptr;
    if (!pending && !s->may_switch()) {
        lock.release();
        return nullptr;
    }
    Reference old = Reference::steal(exchange_value(t, held.release(), true));
    if (!pending) {
        s->prepend(take_out(t));
    }
    else if (!is_busy || t->chain != Chain::runnable) {
        t->scheduler->deliver(take_out(t));
    }
    lock.release();
    old = Reference();
    return pending ? Py_NewRef(Py_None) : s->go_on(s->current, t, {});
}

}  // namespace stackless
