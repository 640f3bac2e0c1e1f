// The class tasklet: arguments, documentation and attributes of what tasklet.cpp does.

#include <cstddef>
#include <utility>

#include "core/reference.hpp"
#include "interpreter/finalizer.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackless/channel.hpp"
#include "stackless/describe.hpp"
#include "stackless/scheduler.hpp"

#include <structmember.h>  // after Python.h

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

using Arguments = PyObject* const*;

Tasklet& of(PyObject* self) noexcept { return *as_tasklet(self); }

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

// --- creation and binding --------------------------------------------------------------------------------------------

PyObject* tasklet_new(PyTypeObject* type, PyObject*, PyObject*) {
    Scheduler* s = Scheduler::running();
    return s != nullptr ? as_object(make_tasklet(type, *s)) : nullptr;
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
        return bind(of(self), given(PyTuple_GET_ITEM(args, 0)), nullptr, nullptr) ? 0 : -1;
    }
    PyObject* values[3] = {};
    bool is_bound = parse_binding(args, kwargs, "|OOO:tasklet", values) && bind(of(self), values[0], values[1], values[2]);
    return is_bound ? 0 : -1;
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
"        there are arguments, but no function, or its thread has ended.\n"
"    TypeError: func is not callable, args no tuple, or kwargs no dict.");

PyObject* tasklet_bind(PyObject* self, PyObject* args, PyObject* kwargs) {
    PyObject* values[3] = {};
    bool is_bound = parse_binding(args, kwargs, "|OOO:bind", values) && bind(of(self), values[0], values[1], values[2]);
    return is_bound ? Py_NewRef(self) : nullptr;
}

PyDoc_STRVAR(setup_doc,
"setup($self, /, *args, **kwargs)\n--\n\n"
"Give the bound function its arguments, and schedule the tasklet. Calling the tasklet does the same.\n\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: it is alive already, or bound to no function, or its thread has ended.");

PyObject* tasklet_setup(PyObject* self, PyObject* args, PyObject* kwargs) {
    if (is_alive_now(of(self))) {
        return fail("tasklet is alive");
    }
    return bind(of(self), nullptr, args, kwargs) && insert(of(self)) ? Py_NewRef(self) : nullptr;
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
    return remove(of(self)) ? Py_NewRef(self) : nullptr;
}

PyDoc_STRVAR(bind_thread_doc,
"bind_thread($self, thread_id=None, /)\n--\n\n"
"Have the tasklet run by another thread.\n\n"
"Parameters:\n"
"    thread_id: the thread; the running one if -1 or None. Where threads do not take turns it must have used\n"
"        this module.\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: the tasklet has begun to run, or is scheduled.\n"
"    ValueError: there is no such thread.");

PyObject* tasklet_bind_thread(PyObject* self, PyObject* args) {
    PyObject* id = nullptr;
    if (!PyArg_ParseTuple(args, "|O:bind_thread", &id)) {
        return nullptr;
    }
    Scheduler* running = Scheduler::running();
    if (running == nullptr) {
        return nullptr;
    }
    unsigned long thread_id = running->thread_id;
    if (id != nullptr && !parse_thread_id(id, thread_id)) {
        return nullptr;
    }
    return move(of(self), *running, thread_id) ? Py_NewRef(self) : nullptr;
}

// --- switching -------------------------------------------------------------------------------------------------------

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
    s->thread->run_kill_queue();  // which may end it
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
    s->thread->run_kill_queue();  // which may end it
    if (!s->may_switch() || !put_first(*s, t)) {
        return nullptr;
    }
    Tasklet* current = s->current;
    {
        Holding lock(tasklets_lock);
        s->runnable.remove(current);
    }
    return s->go_on_paused(current, &t, {args, count, nullptr});
}

// --- exceptions ------------------------------------------------------------------------------------------------------

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
    PyObject* exception = rest ? make_exception(PyTuple_GET_ITEM(args, 0), rest.get(), nullptr) : nullptr;
    return exception != nullptr ? throw_into(&of(self), exception, false) : nullptr;
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
    if (!PyContext_CheckExact(context)) {
        PyErr_SetString(PyExc_TypeError, "context must be a contextvars.Context");
        return nullptr;
    }
    return set_context(of(self), context) ? Py_NewRef(self) : nullptr;
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
    PyObject* context = get_context(t);
    if (context == nullptr) {
        return nullptr;
    }
    PyThreadState* ts = interpreter::current_thread_state();
    PyObject* before = interpreter::exchange_running_context(ts, context);
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
        !bind(t, given(function), given(arguments), given(keywords))) {
        return nullptr;
    }
    t.atomic = atomic;
    t.block_trap = block_trap;
    t.ignore_nesting = ignore_nesting;
    return !scheduled || insert(t) ? Py_NewRef(self) : nullptr;
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
    Tasklet& t = of(self);
    Tasklet* next = t.chain == Chain::channel ? t.channel->waiting.after(&t) : t.in_chain.next;
    return Py_NewRef(next != nullptr ? as_object(next) : Py_None);
}

PyObject* get_previous(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    Tasklet& t = of(self);
    Tasklet* previous = t.chain == Chain::channel ? t.channel->waiting.before(&t) : t.in_chain.previous;
    return Py_NewRef(previous != nullptr ? as_object(previous) : Py_None);
}

// Before a tasklet is alive, its `tempval` is the function it is bound to. The lock is held.
bool is_only_bound(const Tasklet& t) noexcept { return t.function != nullptr && !is_ready_to_run(&t); }

PyObject* get_tempval(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    PyObject* value = is_only_bound(of(self)) ? of(self).function : of(self).outcome.get(self);
    return Py_NewRef(value != nullptr ? value : Py_None);
}

int set_tempval(PyObject* self, PyObject* value, void*) {
    Tasklet& t = of(self);
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
    Py_VISIT(t.outcome.get());
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
    if (t.is_active || t.chain == Chain::runnable) {
        return 0;  // it did not let itself be killed, or was made runnable meanwhile
    }
    exchange_greenlet(&t, nullptr);
    unbind(&t);
    clear_hooks(t.hooks);
    return 0;
}

// Holds a tasklet again that lives on though its last reference has gone. `is_to_be_killed`: the thread that it belongs to kills it.
void live_on(Tasklet& t, bool is_to_be_killed) noexcept {
    Holding lock(tasklets_lock);
    if (t.suspension != Suspension::unowned) {
        return;
    }
    hold(&t);
    Reference first = Reference::borrow(has_stack(&t) ? core::as_object(t.first_greenlet) : nullptr);
    lock.release();
    interpreter::expect_finalizer(as_object(&t));
    if (first && is_to_be_killed) {
        PyGreenlet* g = core::as_greenlet(first.get());
        if (g->pimpl->thread->kill_later(g, true)) {
            first.release();
        }
    }
}

// It is unreferenced, or garbage: runs its `finally` blocks.
void finalize(PyObject* self) {
    Tasklet& t = of(self);
    if (!t.is_active || t.is_main) {
        return;
    }
    Scheduler* s = !interpreter::is_finalizing() ? own_scheduler(t) : nullptr;
    if (s == nullptr || s->is_switching() || s->thread->is_on_own_stack()) {
        if (t.suspension == Suspension::unowned && !interpreter::is_finalizing() && has_ended_thread(t)) {
            drop_stack(t);
        }
        // If its greenlet is garbage too, that is killed in its thread when it is possible.
        live_on(t, !interpreter::is_finalizing() && (s == nullptr || !s->thread->is_on_own_stack()));
        return;
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
    live_on(t, false);
}

void deallocate(PyObject* self) {
    Tasklet& t = of(self);
    // An instance of a Python class was finalized before it comes here, and is held again if it lives on.
    if (t.suspension == Suspension::unowned && PyObject_CallFinalizerFromDealloc(self) < 0) {
        interpreter::expect_finalizer(self);
        return;
    }
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
    {"alive", get_alive, nullptr, "Has it a function and arguments, and has neither it ended nor its thread?", nullptr},
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
    {Py_tp_repr, reinterpret_cast<void*>(repr_of_tasklet)},
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

}  // namespace stackless
