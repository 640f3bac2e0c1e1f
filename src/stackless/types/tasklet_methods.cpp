// The methods of tasklets.

#include <cstddef>
#include <utility>

#include "core/reference.hpp"
#include "interpreter/context.hpp"
#include "interpreter/thread_state.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"
#include "stackless/contexts.hpp"
#include "stackless/operations.hpp"
#include "stackless/refusal.hpp"
#include "stackless/run.hpp"
#include "stackless/turn.hpp"
#include "stackless/types/tasklet.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;
using python::as_method;

bool parse_binding(PyObject* args, PyObject* kwargs, const char* format, PyObject** values) noexcept {
    static const char* names[] = {"func", "args", "kwargs", nullptr};
    if (!python::parse(args, kwargs, format, names, &values[0], &values[1], &values[2])) {
        return false;
    }
    for (int i = 0; i < 3; ++i) {
        values[i] = values[i] != nullptr ? none_to_null(values[i]) : nullptr;
    }
    return true;
}

namespace {

using Arguments = PyObject* const*;

// Sets `flag` to the truth of the only argument. False with an exception.
bool parse_flag(const char* name, Arguments args, Py_ssize_t count, bool& flag) noexcept {
    if (!python::check_count(name, count, 1, 1)) {
        return false;
    }
    int truth = PyObject_IsTrue(args[0]);
    flag = truth > 0;
    return truth >= 0;
}

// --- creation and binding --------------------------------------------------------------------------------------------

PyDoc_STRVAR(bind_doc,
"bind($self, /, func=None, args=None, kwargs=None)\n--\n\n"
"Bind the tasklet to a function, to its arguments, or to both. The tasklet is not scheduled.\n\n"
"If all arguments are None the tasklet is unbound.\n\n"
"Parameters:\n"
"    func: the function. The tasklet will run in the current contextvars.Context. If only arguments are\n"
"        given, the tasklet keeps the function that it has.\n"
"    args, kwargs: a tuple and a dict, or None. With one of them the tasklet is alive.\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: it is the main tasklet, is scheduled, or has begun to run and not ended; or there are\n"
"        arguments, but it has no function or its thread has ended.\n"
"    TypeError: func is not callable, args is not a tuple, or kwargs is not a dict.");

PyObject* tasklet_bind(PyObject* self, PyObject* args, PyObject* kwargs) {
    PyObject* values[3] = {};
    bool is_bound = parse_binding(args, kwargs, "|OOO:bind", values) &&
                    bind(tasklet_of(self), values[0], values[1], values[2]);
    return is_bound ? Py_NewRef(self) : nullptr;
}

PyDoc_STRVAR(setup_doc,
"setup($self, /, *args, **kwargs)\n--\n\n"
"Set the arguments of the bound function, and schedule the tasklet. A call of the tasklet does the same.\n\n"
"Parameters:\n    args, kwargs: its arguments.\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: it is alive already, has no function, or its thread has ended.");

}  // namespace

PyObject* tasklet_setup(PyObject* self, PyObject* args, PyObject* kwargs) {
    if (is_alive(tasklet_of(self))) {
        return raise_runtime_error("tasklet is alive");
    }
    return bind(tasklet_of(self), nullptr, args, kwargs) && insert(tasklet_of(self)) ? Py_NewRef(self) : nullptr;
}

namespace {

PyDoc_STRVAR(insert_doc,
"insert($self, /)\n--\n\n"
"Put the tasklet at the end of the runnable ones. If it is runnable already, do nothing.\n\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: it is blocked on a channel or not alive, or its thread has ended.");

PyObject* tasklet_insert(PyObject* self, PyObject*) { return insert(tasklet_of(self)) ? Py_NewRef(self) : nullptr; }

PyDoc_STRVAR(remove_doc,
"remove($self, /)\n--\n\n"
"Remove the tasklet from the runnable ones. It is paused until insert(), run() or switch().\n\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    RuntimeError: it is the current tasklet of its thread, or blocked on a channel.");

PyObject* tasklet_remove(PyObject* self, PyObject*) { return remove(tasklet_of(self)) ? Py_NewRef(self) : nullptr; }

PyDoc_STRVAR(bind_thread_doc,
"bind_thread($self, thread_id=None, /)\n--\n\n"
"Move the tasklet to another thread.\n\n"
"Parameters:\n"
"    thread_id: the identifier of the thread; the running one if -1 or None. On free-threaded CPython the\n"
"        thread must have used tasklets.\n"
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
    return move_to_thread(tasklet_of(self), *running, thread_id) ? Py_NewRef(self) : nullptr;
}

// --- switching -------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(run_doc,
"run($self, /)\n--\n\n"
"Run the tasklet at once. The current one stays scheduled.\n\n"
"If the tasklet is runnable, those after it in the chain run next. If it is paused, the current one runs\n"
"next. If it belongs to another thread, it is only scheduled there, as the next one.\n\n"
"Returns:\n    None, or the value that the attribute tempval of the calling tasklet was set to meanwhile.\n"
"Raises:\n"
"    RuntimeError: it is blocked on a channel or not alive, or its thread has ended; or switches are\n"
"        trapped, see switch_trap().");

PyObject* tasklet_run(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    Tasklet& t = tasklet_of(self);
    if (!python::check_count("run", count, 0, 0)) {
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
    s->thread->run_kill_queue();  // may end it
    return s->may_switch() && put_first(*s, t) ? switch_tasklets(*s, s->current, &t, {args, count, nullptr}) : nullptr;
}

PyDoc_STRVAR(switch_doc,
"switch($self, /)\n--\n\n"
"Run the tasklet at once, and pause the current one.\n\n"
"Returns:\n    None, or the value that the attribute tempval of the calling tasklet was set to meanwhile.\n"
"Raises:\n"
"    RuntimeError: see run(); or the tasklet belongs to another thread.");

PyObject* tasklet_switch(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    Tasklet& t = tasklet_of(self);
    if (!python::check_count("switch", count, 0, 0)) {
        return nullptr;
    }
    if (!is_ready(t)) {
        return nullptr;
    }
    Scheduler* s = own_scheduler(t);
    if (s == nullptr) {
        return raise_runtime_error("the tasklet belongs to a different thread, so it can't be switched to");
    }
    if (s->current == &t) {
        Py_RETURN_NONE;
    }
    s->thread->run_kill_queue();  // may end it
    if (!s->may_switch() || !put_first(*s, t)) {
        return nullptr;
    }
    Tasklet* current = s->current;
    {
        Holding lock(tasklets_lock);
        s->runnable.remove(current);
    }
    return switch_from_paused(*s, current, &t, {args, count, nullptr});
}

// --- exceptions ------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(throw_doc,
"throw($self, /, exc=None, val=None, tb=None, pending=False)\n--\n\n"
"Raise an exception in the tasklet, where it is suspended.\n\n"
"Parameters:\n"
"    exc: an exception class or an exception.\n"
"    val: the argument of the class, a tuple of its arguments, or an instance of it; None if exc is an\n"
"        exception.\n"
"    tb: the initial traceback, or None.\n"
"    pending: only schedule the tasklet. Otherwise it runs at once, and the current one after it. A\n"
"        tasklet of another thread is only scheduled in any case.\n"
"Returns:\n    None, or the value that the attribute tempval of the calling tasklet was set to meanwhile.\n"
"Raises:\n"
"    RuntimeError: it is not alive, and exc is not TaskletExit; its thread has ended; or switches are\n"
"        trapped, see switch_trap().\n"
"    TypeError: exc, val or tb is none of these.\n"
"    exc, if the tasklet is the current one. Any exception that is thrown into the current one meanwhile.");

PyObject* tasklet_throw(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"exc", "val", "tb", "pending", nullptr};
    PyObject *type = Py_None, *value = Py_None, *traceback = Py_None;
    int pending = 0;
    if (!python::parse(args, kwargs, "|OOOp:throw", names, &type, &value, &traceback, &pending)) {
        return nullptr;
    }
    PyObject* exception = make_exception(type, value, traceback);
    return exception != nullptr ? throw_into(&tasklet_of(self), exception, pending != 0) : nullptr;
}

PyDoc_STRVAR(raise_exception_doc,
"raise_exception($self, exc_class, /, *args)\n--\n\n"
"Raise an exception in the tasklet at once, like throw(exc_class(*args)).\n\n"
"Parameters:\n"
"    exc_class: an exception class.\n"
"    args: the arguments that the exception is made with.\n"
"Returns:\n    None, or the value that the attribute tempval of the calling tasklet was set to meanwhile.\n"
"Raises:\n"
"    TypeError: exc_class is not an exception class.\n"
"    What throw() raises.");

PyObject* tasklet_raise_exception(PyObject* self, PyObject* args) {
    if (PyTuple_GET_SIZE(args) < 1 || !PyExceptionClass_Check(PyTuple_GET_ITEM(args, 0))) {
        PyErr_SetString(PyExc_TypeError, "raise_exception() needs a class of exceptions first");
        return nullptr;
    }
    Reference rest = Reference::steal(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
    PyObject* exception = rest ? make_exception(PyTuple_GET_ITEM(args, 0), rest.get(), nullptr) : nullptr;
    return exception != nullptr ? throw_into(&tasklet_of(self), exception, false) : nullptr;
}

PyDoc_STRVAR(kill_doc,
"kill($self, /, pending=False)\n--\n\n"
"End the tasklet: raise TaskletExit in it, if it is alive.\n\n"
"If it has not begun to run, or its thread has ended, it ends without running.\n\n"
"Parameters:\n"
"    pending: see throw().\n"
"Returns:\n    None, or the value that the attribute tempval of the calling tasklet was set to meanwhile.\n"
"Raises:\n"
"    RuntimeError: switches are trapped, see switch_trap().\n"
"    TaskletExit: it is the current tasklet.");

PyObject* tasklet_kill(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"pending", nullptr};
    int pending = 0;
    if (!python::parse(args, kwargs, "|p:kill", names, &pending)) {
        return nullptr;
    }
    return kill(tasklet_of(self), pending != 0);
}

// --- flags -----------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(set_atomic_doc,
"set_atomic($self, flag, /)\n--\n\n"
"Set whether the tasklet is atomic: the watchdog of run(timeout) does not interrupt it then.\n\n"
"Parameters:\n    flag: a truth value.\n"
"Returns:\n"
"    The previous flag.");

PyObject* tasklet_set_atomic(PyObject* self, Arguments args, Py_ssize_t count) {
    bool flag;
    if (!parse_flag("set_atomic", args, count, flag)) {
        return nullptr;
    }
    Tasklet& t = tasklet_of(self);
    bool old = std::exchange(t.atomic, flag);
    Scheduler* s = flag ? nullptr : own_scheduler(t);
    if (s != nullptr && s->current == &t && !interrupt_if_due(*s)) {
        return nullptr;
    }
    return PyBool_FromLong(old);
}

PyDoc_STRVAR(set_ignore_nesting_doc,
"set_ignore_nesting($self, flag, /)\n--\n\n"
"Set a flag that has no effect here. In Stackless Python it permits interruption at any nesting_level.\n\n"
"Parameters:\n    flag: a truth value.\n"
"Returns:\n"
"    The previous flag.");

PyObject* tasklet_set_ignore_nesting(PyObject* self, Arguments args, Py_ssize_t count) {
    bool flag;
    if (!parse_flag("set_ignore_nesting", args, count, flag)) {
        return nullptr;
    }
    return PyBool_FromLong(std::exchange(tasklet_of(self).ignore_nesting, flag));
}

// --- contexts --------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(set_context_doc,
"set_context($self, context, /)\n--\n\n"
"Set the contextvars.Context that the tasklet runs in. The default is the context in which it was bound.\n\n"
"Parameters:\n    context: a contextvars.Context.\n"
"Returns:\n"
"    The tasklet.\n"
"Raises:\n"
"    TypeError: context is not a contextvars.Context.\n"
"    RuntimeError: the tasklet belongs to another thread, and is current or scheduled; or the context\n"
"        that it runs in is in use by Context.run().");

PyObject* tasklet_set_context(PyObject* self, PyObject* context) {
    if (!PyContext_CheckExact(context)) {
        PyErr_SetString(PyExc_TypeError, "context must be a contextvars.Context");
        return nullptr;
    }
    return set_context(tasklet_of(self), context) ? Py_NewRef(self) : nullptr;
}

PyDoc_STRVAR(context_run_doc,
"context_run($self, callable, /, *args, **kwargs)\n--\n\n"
"Call callable(*args, **kwargs) in the contextvars.Context of the tasklet. The current tasklet runs it.\n\n"
"Parameters:\n    callable, args, kwargs: what is called, and with which arguments.\n"
"Returns:\n"
"    The result of the call.\n"
"Raises:\n"
"    RuntimeError: the tasklet is the current one of another thread.\n"
"    What the callable raises.");

PyObject* tasklet_context_run(PyObject* self, Arguments args, Py_ssize_t count, PyObject* names) {
    Tasklet& t = tasklet_of(self);
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

PyDoc_STRVAR(reduce_doc,
"__reduce__($self, /)\n--\n\n"
"Support pickle and copy.\n\n"
"Raises:\n"
"    NotImplementedError: the tasklet has begun to run and not ended. Its C stack can't be pickled.");

PyDoc_STRVAR(setstate_doc,
"__setstate__($self, state, /)\n--\n\n"
"Support pickle and copy: restore the state that __reduce__() returned.\n\n"
"If the original tasklet was scheduled, this one is scheduled in the running thread.");

}  // namespace

PyMethodDef tasklet_methods[] = {
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

}  // namespace stackless
