#include "aio/aio.hpp"

#include <utility>

#include "aio/await.hpp"
#include "aio/function.hpp"
#include "aio/iterator.hpp"
#include "aio/object.hpp"
#include "aio/task.hpp"
#include "core/reference.hpp"
#include "coroutines/arguments.hpp"
#include "coroutines/native_function.hpp"
#include "coroutines/object.hpp"
#include "interpreter/pending_exception.hpp"
#include "python/define.hpp"

namespace aio {

namespace {

using core::ModuleState;
using core::Reference;
using core::Thread;

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
    return thread != nullptr && coroutines::check_arguments(args[0], message) ? make_coroutine(*thread->module, args[0], message)
                                                                              : nullptr;
}

PyDoc_STRVAR(await_doc,
"await_(awaitable, /)\n--\n\n"
"Wait for an awaitable, as `await` does, in an ordinary function.\n\n"
"It may be called at any depth below a function that run() calls, or in a task with a portal.\n\n"
"Parameters:\n"
"    awaitable: what `await` takes: a coroutine, a future, a task, an object with __await__().\n"
"Returns:\n"
"    The awaitable's result.\n"
"Raises:\n"
"    RuntimeError: there is no portal to an event loop here.\n"
"    TypeError: it is not awaitable.\n"
"    Whatever the awaitable raises; what the event loop throws in, such as CancelledError.");

PyObject* await_function(PyObject*, PyObject* const* args, Py_ssize_t count) {
    if (count != 1) {
        PyErr_Format(PyExc_TypeError, "await_() takes exactly one argument (%zd given)", count);
        return nullptr;
    }
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    if (!check_portal(*thread)) {
        if (PyCoro_CheckExact(args[0])) {
            // Nobody will await it now, and it need not complain of that too.
            interpreter::PendingException in_flight;
            Reference closed = Reference::steal(PyObject_CallMethodNoArgs(args[0], layer.of(*thread->module).name_close));
            PyErr_Clear();
        }
        return nullptr;
    }
    return await_argument(*thread, args, python::as_method(await_function));
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
    return coroutine && take_names(coroutine.get(), awaitable) ? coroutine.release() : nullptr;
}

PyDoc_STRVAR(has_portal_doc,
"has_portal()\n--\n\n"
"Can await_() be used here?");

PyObject* has_portal_function(PyObject*, PyObject*) {
    Thread* thread = Thread::running();
    return thread != nullptr ? PyBool_FromLong(has_portal(*thread)) : nullptr;
}

PyDoc_STRVAR(iter_doc,
"iter_(iterable, /)\n--\n\n"
"Iterate over an asynchronous iterable in an ordinary function: `for row in iter_(rows): ...`\n\n"
"As with `async for`, an asynchronous generator that is not iterated to its end is left to the event\n"
"loop to close; with_(contextlib.aclosing(generator)) closes it at once.\n\n"
"Parameters:\n"
"    iterable: what `async for` takes.\n"
"Returns:\n"
"    An iterator that awaits each value. Its __next__() raises RuntimeError if there is no portal to an\n"
"    event loop, and whatever the asynchronous iterator raises. send(), throw() and close() await what\n"
"    asend(), athrow() and aclose() of an asynchronous generator give.\n"
"Raises:\n"
"    TypeError: the argument is no asynchronous iterable.");

PyObject* iter(PyObject*, PyObject* iterable) {
    ModuleState* state = ModuleState::of_interpreter();
    return state != nullptr ? make_iterator(*state, iterable) : nullptr;
}

PyDoc_STRVAR(take_over_doc,
"_take_over(coroutine, /)\n--\n\n"
"Wait once, for nothing, and then go on with a coroutine that was suspended meanwhile.\n\n"
"Returns:\n"
"    The result of the coroutine.");

PyObject* take_over_function(PyObject*, PyObject* coroutine) {
    Thread* thread = Thread::running();
    return thread != nullptr && check_portal(*thread) ? take_over(*thread, coroutine) : nullptr;
}

PyDoc_STRVAR(replace_coroutine_doc,
"_replace_coroutine(task, task_class, old, new, /)\n--\n\n"
"Have an asyncio task go on with another coroutine at its next step. False if that is not possible.");

PyObject* replace_coroutine_function(PyObject*, PyObject* args) {
    PyObject *task, *task_class, *from, *to;
    if (!PyArg_ParseTuple(args, "OO!OO", &task, &PyType_Type, &task_class, &from, &to)) {
        return nullptr;
    }
    return PyBool_FromLong(replace_coroutine(task, reinterpret_cast<PyTypeObject*>(task_class), from, to));
}

PyDoc_STRVAR(check_arguments_doc,
"_check_arguments(function, /, *args, **kwargs)\n--\n\n"
"Raise TypeError if it is a Python function that can't be called with these arguments.");

PyObject* check_arguments_function(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "_check_arguments() needs a function");
        return nullptr;
    }
    return coroutines::check_arguments(args[0], {args + 1, count - 1, names}) ? Py_NewRef(Py_None) : nullptr;
}

PyMethodDef functions[] = {
    {"_check_arguments", python::as_method(check_arguments_function), METH_FASTCALL | METH_KEYWORDS, check_arguments_doc},
    {"await_", python::as_method(await_function), METH_FASTCALL, await_doc},
    {"has_portal", has_portal_function, METH_NOARGS, has_portal_doc},
    {"iter_", iter, METH_O, iter_doc},
    {"_take_over", take_over_function, METH_O, take_over_doc},
    {"_replace_coroutine", replace_coroutine_function, METH_VARARGS, replace_coroutine_doc},
    {},
};

// Adds one that is a coroutine function.
bool add_function(ModuleState& state, PyObject* names, const char* name, vectorcallfunc call) {
    Reference function = Reference::steal(make_function(state, name, call));
    return function && PyObject_SetAttrString(names, name, function.get()) == 0;
}

}  // namespace

int add_to(PyObject* module, ModuleState& state) noexcept {
    State* made = layer.ensure(state);
    if (made == nullptr) {
        return -1;
    }
    State& own = *made;
    bool complete = core::ensure(own.coroutine_type, make_coroutine_type) && core::ensure(own.iterator_type, make_iterator_type) &&
                    core::ensure(own.function_type, make_function_type) &&
                    core::ensure(own.name_throw, [] { return PyUnicode_InternFromString("throw"); }) &&
                    core::ensure(own.name_close, [] { return PyUnicode_InternFromString("close"); }) &&
                    core::ensure(own.name_asyncio, [] { return PyUnicode_InternFromString("_asyncio"); });
    Reference names = Reference::steal(
        complete ? python::add_namespace(module, "aio", "greenlet.aio", functions) : nullptr);
    if (!names || PyModule_AddType(names.get(), own.coroutine_type) < 0 || !add_function(state, names.get(), "run", run) ||
        !add_function(state, names.get(), "portal", portal)) {
        return -1;
    }
    Reference await_function = Reference::steal(PyObject_GetAttrString(names.get(), "await_"));
    if (!await_function) {
        return -1;
    }
    PyObject* old = std::exchange(own.await_function, await_function.release());
    Py_XDECREF(old);
    return 0;
}

State::~State() {
    Py_XDECREF(coroutine_type);
    Py_XDECREF(iterator_type);
    Py_XDECREF(function_type);
    Py_XDECREF(await_function);
    Py_XDECREF(name_throw);
    Py_XDECREF(name_close);
    Py_XDECREF(name_asyncio);
    Py_XDECREF(running_loop.get());
    Py_XDECREF(current_task.get());
    Py_XDECREF(current_tasks.get());
}

}  // namespace aio
