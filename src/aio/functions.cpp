#include "aio/functions.hpp"

#include "aio/await.hpp"
#include "aio/iterator.hpp"
#include "aio/object.hpp"
#include "aio/state.hpp"
#include "aio/task.hpp"
#include "core/reference.hpp"
#include "coroutines/arguments.hpp"
#include "coroutines/native_function.hpp"
#include "interpreter/pending_exception.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"

namespace aio {

using core::ModuleState;
using core::Reference;
using core::Thread;

namespace {

PyDoc_STRVAR(await_doc,
"await_(awaitable, /)\n--\n\n"
"Wait for an awaitable, as `await` does, in an ordinary function.\n\n"
"It may be called at any depth below a function that run() calls, or in a task with a portal.\n\n"
"Parameters:\n"
"    awaitable: a coroutine, a future, a task, or another object that `await` takes.\n"
"Returns:\n"
"    The awaitable's result.\n"
"Raises:\n"
"    RuntimeError: there is no portal to an event loop here.\n"
"    TypeError: the argument is not awaitable.\n"
"    Whatever the awaitable raises, and whatever the event loop throws in, such as CancelledError.");

PyObject* await_function(PyObject*, PyObject* const* args, Py_ssize_t count) {
    if (!python::check_count("await_", count, 1, 1)) {
        return nullptr;
    }
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    if (!check_portal(*thread)) {
        if (PyCoro_CheckExact(args[0])) {
            // A coroutine that was closed does not warn that it was never awaited.
            interpreter::PendingException in_flight;
            PyObject* name = layer.of(*thread->module).name_close;
            Reference closed = Reference::steal(PyObject_CallMethodNoArgs(args[0], name));
            PyErr_Clear();
        }
        return nullptr;
    }
    return await_argument(*thread, args, python::as_method(await_function));
}

PyDoc_STRVAR(has_portal_doc,
"has_portal()\n--\n\n"
"True if await_() can be used here: the running task has a portal to an event loop.");

PyObject* has_portal_function(PyObject*, PyObject*) {
    Thread* thread = Thread::running();
    return thread != nullptr ? PyBool_FromLong(has_portal(*thread)) : nullptr;
}

PyDoc_STRVAR(iter_doc,
"iter_(iterable, /)\n--\n\n"
"Iterate over an asynchronous iterable in an ordinary function: `for row in iter_(rows): ...`\n\n"
"If the iteration stops early, the event loop closes an asynchronous generator at some later time, as\n"
"with `async for`; with_(contextlib.aclosing(generator)) closes it at once.\n\n"
"Parameters:\n"
"    iterable: an asynchronous iterable, as `async for` takes it.\n"
"Returns:\n"
"    An iterator that awaits each value. Its __next__() raises RuntimeError if there is no portal to an\n"
"    event loop, and whatever the asynchronous iterator raises. send(), throw() and close() await\n"
"    asend(), athrow() and aclose() of an asynchronous generator.\n"
"Raises:\n"
"    TypeError: the argument is not an asynchronous iterable.");

PyObject* iter(PyObject*, PyObject* iterable) {
    ModuleState* state = ModuleState::of_interpreter();
    return state != nullptr ? make_iterator(*state, iterable) : nullptr;
}

PyDoc_STRVAR(take_over_doc,
"_take_over(coroutine, /)\n--\n\n"
"Suspend once, and then drive a coroutine that has been suspended meanwhile.\n\n"
"Parameters:\n"
"    coroutine: the coroutine.\n"
"Returns:\n"
"    The result of the coroutine.\n"
"Raises:\n"
"    RuntimeError: there is no portal to an event loop here.\n"
"    Whatever the coroutine raises.");

PyObject* take_over_function(PyObject*, PyObject* coroutine) {
    Thread* thread = Thread::running();
    return thread != nullptr && check_portal(*thread) ? take_over(*thread, coroutine) : nullptr;
}

PyDoc_STRVAR(replace_coroutine_doc,
"_replace_coroutine(task, task_class, old, new, /)\n--\n\n"
"Make an asyncio task run another coroutine from its next step on.\n\n"
"Parameters:\n"
"    task: the task.\n"
"    task_class: the class of tasks of asyncio that is written in C.\n"
"    old, new: coroutines.\n"
"Returns:\n"
"    False if that is not possible.");

PyObject* replace_coroutine_function(PyObject*, PyObject* args) {
    PyObject *task, *task_class, *from, *to;
    if (!PyArg_ParseTuple(args, "OO!OO", &task, &PyType_Type, &task_class, &from, &to)) {
        return nullptr;
    }
    return PyBool_FromLong(replace_coroutine(task, reinterpret_cast<PyTypeObject*>(task_class), from, to));
}

PyDoc_STRVAR(check_arguments_doc,
"_check_arguments(function, /, *args, **kwargs)\n--\n\n"
"Raise TypeError if `function` is a Python function that can't be called with these arguments.");

PyObject* check_arguments_function(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "_check_arguments() needs a function");
        return nullptr;
    }
    return coroutines::check_arguments(args[0], {args + 1, count - 1, names}) ? Py_NewRef(Py_None) : nullptr;
}

}  // namespace

PyObject* run(PyObject*, PyObject* const* args, std::size_t flagged_count, PyObject* names) {
    Py_ssize_t count = PyVectorcall_NARGS(flagged_count);
    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "run() needs a function");
        return nullptr;
    }
    if (!PyCallable_Check(args[0])) {
        PyErr_Format(PyExc_TypeError, "run() needs a function, not %.100s", Py_TYPE(args[0])->tp_name);
        return nullptr;
    }
    if (coroutines::what_a_call_makes(args[0]) == coroutines::Makes::coroutine) {
        PyErr_Format(PyExc_TypeError,
                     "run() calls ordinary functions, and %R is asynchronous: write `await function(...)`, or "
                     "`await portal(function(...))` if what it calls uses await_()",
                     args[0]);
        return nullptr;
    }
    Thread* thread = Thread::running();
    core::Message message{args + 1, count - 1, names};
    bool is_in_order = thread != nullptr && coroutines::check_arguments(args[0], message);
    return is_in_order ? make_coroutine(*thread->module, args[0], message) : nullptr;
}

PyObject* portal(PyObject*, PyObject* const* args, std::size_t flagged_count, PyObject* names) {
    Py_ssize_t count = PyVectorcall_NARGS(flagged_count);
    if (count != 1 || (names != nullptr && PyTuple_GET_SIZE(names) > 0)) {
        PyErr_Format(PyExc_TypeError, "portal() takes exactly one positional argument (%zd given)", count);
        return nullptr;
    }
    PyObject* awaitable = args[0];
    if (!is_awaitable(awaitable)) {
        PyErr_Format(PyExc_TypeError, "portal() needs an awaitable, not %.100s", Py_TYPE(awaitable)->tp_name);
        return nullptr;
    }
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    Reference coroutine = Reference::steal(
        make_coroutine(*thread->module, layer.of(*thread->module).await_function, {&awaitable, 1}));
    return coroutine && copy_names(coroutine.get(), awaitable) ? coroutine.release() : nullptr;
}

PyMethodDef functions[] = {
    {"_check_arguments", python::as_method(check_arguments_function), METH_FASTCALL | METH_KEYWORDS,
     check_arguments_doc},
    {"await_", python::as_method(await_function), METH_FASTCALL, await_doc},
    {"has_portal", has_portal_function, METH_NOARGS, has_portal_doc},
    {"iter_", iter, METH_O, iter_doc},
    {"_take_over", take_over_function, METH_O, take_over_doc},
    {"_replace_coroutine", replace_coroutine_function, METH_VARARGS, replace_coroutine_doc},
    {},
};

}  // namespace aio
