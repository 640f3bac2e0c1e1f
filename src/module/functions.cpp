// The functions of the module greenlet._greenlet.

#include <utility>

#include "core/overflow.hpp"
#include "core/settings.hpp"
#include "core/thread.hpp"
#include "core/thread_stack.hpp"
#include "module/parts.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"

namespace module {

namespace {

using core::as_object;
using core::ModuleState;
using core::Thread;

PyDoc_STRVAR(getcurrent_doc,
"getcurrent()\n--\n\n"
"Return the running greenlet.\n\n"
"Raises:\n"
"    RuntimeError: the interpreter is shutting down.");

PyObject* getcurrent(PyObject*, PyObject*) { return get_current(); }

PyDoc_STRVAR(settrace_doc,
"settrace(callback, /)\n--\n\n"
"Set the function that is called after each switch in this thread.\n\n"
"Parameters:\n"
"    callback: called as callback(event, (origin, target)) in the greenlet switched to. The event is\n"
"        'switch', or 'throw' if an exception is thrown into that greenlet. None ends tracing. If the\n"
"        callback raises an exception, tracing ends, and the exception is raised in that greenlet.\n"
"Returns:\n"
"    The previous callback, or None.");

PyObject* settrace(PyObject*, PyObject* callback) {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    PyObject* previous = thread->exchange_tracer(callback != Py_None ? Py_NewRef(callback) : nullptr);
    return previous != nullptr ? previous : Py_NewRef(Py_None);
}

PyDoc_STRVAR(gettrace_doc,
"gettrace()\n--\n\n"
"Return the callback that settrace() set in this thread, or None.");

PyObject* gettrace(PyObject*, PyObject*) {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    return Py_NewRef(thread->tracer != nullptr ? thread->tracer : Py_None);
}

PyDoc_STRVAR(stack_size_doc,
"stack_size(size=0, /)\n--\n\n"
"Get or set the stack size of new greenlets, in bytes, for all threads. Unused parts take no memory.\n\n"
"The default is a thread's stack size: the process's soft limit (RLIMIT_STACK), or 8 MiB if there is\n"
"none, at least 1 and at most 64 MiB. Where address space or memory is limited it is halved, down to\n"
"256 KiB, until 2,000 stacks fit into half of what is left when the package is imported. Where addresses\n"
"have 32 bits it is 128 KiB, or the least size that this version of CPython needs. The environment\n"
"variable GREENLET_STACK_SIZE sets another size, for example 8388608, 0x800000, 8192k or 8M.\n\n"
"The stack is for C code only. Python frames, and the guard against overflow, are outside of it.\n\n"
"Parameters:\n"
"    size: in bytes, at least 65,536. It is rounded up to whole pages, and to the least size that\n"
"        this version of CPython needs. 0 changes nothing.\n"
"Returns:\n"
"    The previous size in bytes.\n"
"Raises:\n"
"    ValueError: the size is too small, too large or negative.\n"
"    TypeError: the size is not an integer.");

PyObject* stack_size(PyObject*, PyObject* const* args, Py_ssize_t count) {
    if (!python::check_count("stack_size", count, 0, 1)) {
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
        auto bytes = static_cast<unsigned long long>(size);  // size_t may be shorter
        if (overflow != 0 || size < 0 ||
            (size != 0 && (bytes < stackful::minimum_stack_size || bytes > stackful::maximum_stack_size))) {
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
"Report overflows of a greenlet's C stack on standard error, before they end the process.\n\n"
"The report names the greenlet as repr() does, and gives its stack size in bytes. A handler of SIGSEGV and\n"
"SIGBUS writes it, and then calls the previous handler; faulthandler may be enabled before or after.\n"
"Reports are off by default, and on if the environment variable GREENLET_REPORT_STACK_OVERFLOW is 1, yes,\n"
"true or on at the first import. The setting holds for all threads. A thread that has greenlets already\n"
"follows it from the start of its next greenlet on.\n\n"
"Parameters:\n"
"    enable: True for reports.\n"
"Returns:\n"
"    The previous setting.\n"
"Raises:\n"
"    MemoryError: there is no memory for the handler's stack.\n"
"    OSError: the handler can't be set.");

PyObject* report_stack_overflow(PyObject*, PyObject* args, PyObject* keywords) {
    static const char* names[] = {"enable", nullptr};
    int enable = 1;
    if (!python::parse(args, keywords, "|p:report_stack_overflow", names, &enable)) {
        return nullptr;
    }
    bool previous = core::reports_stack_overflow();
    return core::report_stack_overflow(enable != 0) ? PyBool_FromLong(previous) : nullptr;
}

PyDoc_STRVAR(trim_stacks_doc,
"trim_stacks()\n--\n\n"
"Return unused memory of this thread's stacks to the system.\n\n"
"That includes the stacks that finished greenlets leave for new ones, and what suspended greenlets used\n"
"when their calls were nested more deeply. It also happens automatically: when a greenlet finishes after\n"
"deep calls, and to suspended greenlets in a full garbage collection.");

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
"This is for native code that compares the stack pointer with the bounds of the thread's stack, such as\n"
"Java's virtual machine, V8, Qt's JavaScript engine and Boehm's collector; on a greenlet's stack it\n"
"fails. Everything but the C stack remains the greenlet's: getcurrent(), frames, context, exceptions,\n"
"recursion depth. In the main greenlet, and inside another on_thread_stack(), this is a plain call.\n\n"
"Until the function returns, no greenlet can be switched to, no generator of greenlet.generators resumed\n"
"and no tasklet scheduled, because the main greenlet is suspended on the same stack. Greenlets that are\n"
"released meanwhile are killed afterwards.\n\n"
"Parameters:\n"
"    function: a callable.\n"
"    args, kwargs: its arguments.\n"
"Returns:\n"
"    The function's result.\n"
"Raises:\n"
"    greenlet.error: in the function, if it tries to switch; from this call, if another library runs the\n"
"        main greenlet on a different stack.\n"
"    Whatever the function raises.");

PyObject* on_thread_stack(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    if (count == 0) {
        PyErr_SetString(PyExc_TypeError, "on_thread_stack() missing 1 required positional argument: 'function'");
        return nullptr;
    }
    // The callee may use the place of args[0].
    std::size_t flagged_count = static_cast<std::size_t>(count - 1) | PY_VECTORCALL_ARGUMENTS_OFFSET;
    return core::call_on_thread_stack(args[0], args + 1, flagged_count, names);
}

PyDoc_STRVAR(enable_optional_cleanup_doc,
"enable_optional_cleanup(enabled, /)\n--\n\n"
"Set whether garbage is collected at the end of a thread that has suspended greenlets.\n\n"
"By default it is, so that greenlets kept alive only by a reference cycle run their `finally`\n"
"blocks in their own thread.\n\n"
"Parameters:\n"
"    enabled: a truth value.");

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
"Return the processor time that collections at the end of threads have taken, in units of\n"
"1/CLOCKS_PER_SEC seconds; None if enable_optional_cleanup() has disabled them.");

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
"Return what `python -m greenlet` shows of this process, as a dict. Sizes are in bytes; None means\n"
"unlimited or not set.");

// --- for tests -------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(get_pending_cleanup_count_doc,
"get_pending_cleanup_count()\n--\n\n"
"Return how many ended threads have greenlets left to clean up. Always 0, because a thread cleans up\n"
"when it ends. For tests.");

PyObject* get_pending_cleanup_count(PyObject*, PyObject*) { return PyLong_FromLong(0); }

PyDoc_STRVAR(get_total_main_greenlets_doc,
"get_total_main_greenlets()\n--\n\n"
"Return the number of main greenlets. For tests.");

PyObject* get_total_main_greenlets(PyObject*, PyObject*) {
    ModuleState* state = ModuleState::of_interpreter();
    return state != nullptr ? PyLong_FromSsize_t(state->main_greenlets) : nullptr;
}

PyDoc_STRVAR(set_thread_local_doc,
"set_thread_local(key, value, /)\n--\n\n"
"Set an item of the running thread state's dictionary. For tests.");

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
"Return how deeply deallocations of containers are nested. CPython 3.11 and 3.12 only. For tests.");

PyObject* get_tstate_trash_delete_nesting(PyObject*, PyObject*) {
    return PyLong_FromLong(interpreter::trash_nesting(interpreter::current_thread_state()));
}

}  // namespace

// Libraries take the RuntimeError as a sign that it is too late to wait for anything.
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
    {"stack_size", python::as_method(stack_size), METH_FASTCALL, stack_size_doc},
    {"report_stack_overflow", python::as_method(report_stack_overflow), METH_VARARGS | METH_KEYWORDS,
     report_stack_overflow_doc},
    {"trim_stacks", trim_stacks, METH_NOARGS, trim_stacks_doc},
    {"on_thread_stack", python::as_method(on_thread_stack), METH_FASTCALL | METH_KEYWORDS, on_thread_stack_doc},
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
