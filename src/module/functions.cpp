// The functions of the module.

#include <utility>

#include "core/overflow.hpp"
#include "core/settings.hpp"
#include "core/thread.hpp"
#include "core/thread_stack.hpp"
#include "module/module.hpp"
#include "python/define.hpp"

namespace module {

namespace {

using core::as_object;
using core::ModuleState;
using core::Thread;

PyDoc_STRVAR(getcurrent_doc,
"getcurrent()\n--\n\n"
"The greenlet that is running.\n\n"
"Raises:\n"
"    RuntimeError: the interpreter is shutting down.");

PyObject* getcurrent(PyObject*, PyObject*) { return get_current(); }

PyDoc_STRVAR(settrace_doc,
"settrace(callback, /)\n--\n\n"
"Have a function called at each switch in this thread.\n\n"
"Parameters:\n"
"    callback: called as callback(event, (origin, target)) in the greenlet switched to, with event\n"
"        'switch', or 'throw' if an exception is being thrown into it; None for no tracing. If it\n"
"        raises an exception, tracing ends and the exception is raised in that greenlet.\n"
"Returns:\n"
"    The previous callback, or None.");

PyObject* settrace(PyObject*, PyObject* callback) {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    PyObject* previous = std::exchange(thread->tracer, callback != Py_None ? Py_NewRef(callback) : nullptr);
    return previous != nullptr ? previous : Py_NewRef(Py_None);
}

PyDoc_STRVAR(gettrace_doc,
"gettrace()\n--\n\n"
"The callback that settrace() set in this thread, or None.");

PyObject* gettrace(PyObject*, PyObject*) {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    return Py_NewRef(thread->tracer != nullptr ? thread->tracer : Py_None);
}

PyDoc_STRVAR(stack_size_doc,
"stack_size(size=0, /)\n--\n\n"
"The size of the stacks of new greenlets, in bytes, in all threads. Only what is used takes memory.\n\n"
"The default is what a thread would have: the process's soft limit (RLIMIT_STACK), 8 MiB if there is\n"
"none, at least 1 and at most 64 MiB. Where address space or memory is limited it is halved, down to\n"
"256 KiB, until 2,000 stacks fit into half of what is left when the package is imported. The environment variable\n"
"GREENLET_STACK_SIZE sets another one: 8388608, 0x800000, 8192k or 8M.\n\n"
"All of it is for C code. Python frames, and the guard against overflow, have addresses of their own.\n\n"
"Parameters:\n"
"    size: from 65,536 up, to be rounded to whole pages, or to the least that this version of\n"
"        CPython can do with; 0 leaves it as it is.\n"
"Returns:\n"
"    The size until now.\n"
"Raises:\n"
"    ValueError: the size is too small, too large or negative.\n"
"    TypeError: it is no integer.");

PyObject* stack_size(PyObject*, PyObject* const* args, Py_ssize_t count) {
    if (count > 1) {
        PyErr_Format(PyExc_TypeError, "stack_size() takes at most 1 argument (%zd given)", count);
        return nullptr;
    }
    std::size_t previous = core::stack_size();
    if (count == 1) {
        PyObject* index = PyNumber_Index(args[0]);
        if (index == nullptr) {
            return nullptr;
        }
        int overflow = 0;
        long long size = PyLong_AsLongLongAndOverflow(index, &overflow);
        Py_DECREF(index);
        if (overflow != 0 || size < 0 ||
            (size != 0 && (static_cast<std::size_t>(size) < stackful::minimum_stack_size ||
                           static_cast<std::size_t>(size) > stackful::maximum_stack_size))) {
            PyErr_Format(PyExc_ValueError, "size must be 0, or from %zu to %zu bytes", stackful::minimum_stack_size,
                         stackful::maximum_stack_size);
            return nullptr;
        }
        if (size != 0) {
            core::set_stack_size(static_cast<std::size_t>(size));
        }
    }
    return PyLong_FromSize_t(previous);
}

PyDoc_STRVAR(report_stack_overflow_doc,
"report_stack_overflow(enable=True)\n--\n\n"
"Say on standard error which greenlet it was, if the C stack of one overflows, before that ends the process.\n\n"
"The text names the greenlet as repr() does, and its stack size in bytes. It is written by a handler of SIGSEGV\n"
"and SIGBUS, that leaves the rest to the handler there was: faulthandler's may be enabled before or after.\n"
"Off by default, or on if the environment variable GREENLET_REPORT_STACK_OVERFLOW is 1, yes, true or on\n"
"at the first import.\n"
"Holds for all threads; for those that have greenlets already, from when they start the next.\n\n"
"Parameters:\n"
"    enable: whether to do so.\n"
"Returns:\n"
"    Whether it was done until now.\n"
"Raises:\n"
"    MemoryError: there is no memory for the handler's stack.\n"
"    OSError: the handler can not be set.");

PyObject* report_stack_overflow(PyObject*, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"enable", nullptr};
    int enable = 1;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|p:report_stack_overflow", const_cast<char**>(names), &enable)) {
        return nullptr;
    }
    bool previous = core::reports_stack_overflow();
    return core::report_stack_overflow(enable != 0) ? PyBool_FromLong(previous) : nullptr;
}

PyDoc_STRVAR(trim_stacks_doc,
"trim_stacks()\n--\n\n"
"Give memory back to the system that this thread's stacks do not use any more.\n\n"
"That is what the stacks of finished greenlets keep to be used again, and what suspended greenlets\n"
"used when their calls were nested deeper than now. It happens by itself too: when a greenlet finishes\n"
"that ran deep, and in the suspended ones when garbage is collected.");

PyObject* trim_stacks(PyObject*, PyObject*) {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    thread->trim_stacks();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(on_thread_stack_doc,
"on_thread_stack(function, /, *args, **kwargs)\n--\n\n"
"Call a function on the running thread's own stack, and return what it returns.\n\n"
"For native code that knows the bounds of that stack, such as Java's virtual machine, V8 and Qt's\n"
"JavaScript engine, or Boehm's collector: in a greenlet it runs on another one, and fails. Everything but the C stack stays\n"
"the greenlet's: getcurrent(), frames, context, exceptions, recursion depth. In the main greenlet, and\n"
"in a function that is so called already, this is a plain call.\n\n"
"Until the function returns no greenlet can be switched to, no generator of greenlet.generators resumed and no\n"
"tasklet scheduled, because the thread's stack is the main greenlet's, which is suspended there. Greenlets that are\n"
"released meanwhile are killed afterwards.\n\n"
"Parameters:\n"
"    function: what to call, with the other arguments.\n"
"Returns:\n"
"    What the function returns.\n"
"Raises:\n"
"    greenlet.error: in the function, if it tries to switch; here, if the main greenlet was suspended by\n"
"        a library that runs it on a stack of its own.\n"
"    Whatever the function raises.");

PyObject* on_thread_stack(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    if (count == 0) {
        PyErr_SetString(PyExc_TypeError, "on_thread_stack() missing 1 required positional argument: 'function'");
        return nullptr;
    }
    // The function's own place is one that the callee may use.
    return core::call_on_thread_stack(args[0], args + 1, static_cast<std::size_t>(count - 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
}

PyDoc_STRVAR(enable_optional_cleanup_doc,
"enable_optional_cleanup(enabled, /)\n--\n\n"
"Say whether garbage is collected when a thread ends that has suspended greenlets left.\n\n"
"It is by default: greenlets that only a cycle of references keeps alive can then still run their\n"
"`finally` blocks, in their own thread.");

PyObject* enable_optional_cleanup(PyObject*, PyObject* enabled) {
    ModuleState* state = ModuleState::of_interpreter();
    int enable = PyObject_IsTrue(enabled);
    if (state == nullptr || enable < 0) {
        return nullptr;
    }
    if (!state->collects_at_end.exchange(enable) && enable) {
        state->cleanup_clocks = 0;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(get_clocks_used_doing_optional_cleanup_doc,
"get_clocks_used_doing_optional_cleanup()\n--\n\n"
"The processor time used so far on what enable_optional_cleanup() speaks of, in units of\n"
"1/CLOCKS_PER_SEC seconds; None if it is disabled.");

PyObject* get_clocks_used_doing_optional_cleanup(PyObject*, PyObject*) {
    ModuleState* state = ModuleState::of_interpreter();
    if (state == nullptr) {
        return nullptr;
    }
    if (!state->collects_at_end) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLongLong(static_cast<long long>(state->cleanup_clocks));
}

PyDoc_STRVAR(about_doc,
"_about()\n--\n\n"
"What `python -m greenlet` shows of this process, as a dict: sizes in bytes, None for what is unlimited or not set.");

// --- for tests -------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(get_pending_cleanup_count_doc,
"get_pending_cleanup_count()\n--\n\n"
"How many threads have ended whose greenlets are still to be looked after: always 0, a thread does so itself when it\n"
"ends. For tests.");

PyObject* get_pending_cleanup_count(PyObject*, PyObject*) { return PyLong_FromLong(0); }

PyDoc_STRVAR(get_total_main_greenlets_doc,
"get_total_main_greenlets()\n--\n\n"
"How many main greenlets there are. For tests.");

PyObject* get_total_main_greenlets(PyObject*, PyObject*) {
    ModuleState* state = ModuleState::of_interpreter();
    return state != nullptr ? PyLong_FromSsize_t(state->main_greenlets) : nullptr;
}

PyDoc_STRVAR(set_thread_local_doc,
"set_thread_local(key, value, /)\n--\n\n"
"Put something into the dictionary of the running thread state. For tests.");

PyObject* set_thread_local(PyObject*, PyObject* args) {
    PyObject *key, *value;
    if (!PyArg_UnpackTuple(args, "set_thread_local", 2, 2, &key, &value)) {
        return nullptr;
    }
    PyObject* dict = PyThreadState_GetDict();
    if (dict == nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "the thread state has no dictionary");
        return nullptr;
    }
    if (PyDict_SetItem(dict, key, value) < 0) {
        return nullptr;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(get_tstate_trash_delete_nesting_doc,
"get_tstate_trash_delete_nesting()\n--\n\n"
"How deep deallocations of containers are nested. CPython 3.11 and 3.12 only. For tests.");

PyObject* get_tstate_trash_delete_nesting(PyObject*, PyObject*) {
    return PyLong_FromLong(interpreter::trash_nesting(interpreter::current_thread_state()));
}

}  // namespace

// Libraries take it for a sign that it is too late to wait for anything.
PyObject* get_current() noexcept {
    if (interpreter::is_finalizing()) [[unlikely]] {
        PyErr_SetString(PyExc_RuntimeError, "greenlet is being finalized");
        return nullptr;
    }
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    thread->run_kill_queue();
    return Py_NewRef(as_object(thread->current));
}

PyMethodDef functions[] = {
    {"getcurrent", getcurrent, METH_NOARGS, getcurrent_doc},
    {"settrace", settrace, METH_O, settrace_doc},
    {"gettrace", gettrace, METH_NOARGS, gettrace_doc},
    {"stack_size", python::as_method(stack_size), METH_FASTCALL,
     stack_size_doc},
    {"report_stack_overflow", python::as_method(report_stack_overflow),
     METH_VARARGS | METH_KEYWORDS, report_stack_overflow_doc},
    {"trim_stacks", trim_stacks, METH_NOARGS, trim_stacks_doc},
    {"on_thread_stack", python::as_method(on_thread_stack),
     METH_FASTCALL | METH_KEYWORDS, on_thread_stack_doc},
    {"enable_optional_cleanup", enable_optional_cleanup, METH_O, enable_optional_cleanup_doc},
    {"get_clocks_used_doing_optional_cleanup", get_clocks_used_doing_optional_cleanup, METH_NOARGS,
     get_clocks_used_doing_optional_cleanup_doc},
    {"_about", about, METH_NOARGS, about_doc},
    {"get_pending_cleanup_count", get_pending_cleanup_count, METH_NOARGS, get_pending_cleanup_count_doc},
    {"get_total_main_greenlets", get_total_main_greenlets, METH_NOARGS, get_total_main_greenlets_doc},
    {"set_thread_local", set_thread_local, METH_VARARGS, set_thread_local_doc},
    {},
};

PyMethodDef trash_nesting_function[] = {
    {"get_tstate_trash_delete_nesting", get_tstate_trash_delete_nesting, METH_NOARGS,
     get_tstate_trash_delete_nesting_doc},
    {},
};

}  // namespace module
