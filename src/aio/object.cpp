#include "aio/object.hpp"

#include <cstddef>

#include "aio/state.hpp"
#include "aio/task.hpp"
#include "core/reference.hpp"
#include "coroutines/attributes.hpp"
#include "coroutines/class.hpp"
#include "coroutines/methods.hpp"
#include "coroutines/object.hpp"
#include "python/define.hpp"

namespace aio {

namespace {

using coroutines::Object;

PyDoc_STRVAR(send_doc,
"send($self, value, /)\n--\n\n"
"Run the function until it awaits something that is not ready yet. For event loops.\n\n"
"Parameters:\n"
"    value: what the awaitable is resumed with; None to begin.\n"
"Returns:\n"
"    What the awaitable yields to the event loop.\n"
"Raises:\n"
"    StopIteration: the function returned; the exception's value is what it returned.\n"
"    RuntimeError: the coroutine has finished.\n"
"    TypeError: the coroutine has not begun, and the value is not None.\n"
"    ValueError: the coroutine is running.\n"
"    greenlet.error: the coroutine began in another thread.\n"
"    Whatever the function raises; a StopIteration becomes the cause of a RuntimeError.");

PyDoc_STRVAR(throw_doc,
"throw($self, typ, val=None, tb=None, /)\n--\n\n"
"Raise an exception in the awaitable that the function waits for. For event loops.\n\n"
"A coroutine that has not begun finishes with the exception.\n\n"
"Parameters:\n"
"    typ: an exception, or an exception class.\n"
"    val: the argument that the exception is made with; only if typ is a class.\n"
"    tb: the traceback that the exception starts with.\n"
"Returns:\n"
"    What the awaitable yields to the event loop.\n"
"Raises:\n"
"    TypeError: the arguments are not of these kinds.\n"
"    Whatever else send() raises.");

PyDoc_STRVAR(close_doc,
"close($self, /)\n--\n\n"
"End the function: raise GeneratorExit in the awaitable that it waits for.\n\n"
"Returns:\n"
"    What the function returns if it catches the exception, else None.\n"
"Raises:\n"
"    RuntimeError: the function waits for something else instead of ending.\n"
"    ValueError: the coroutine is running.\n"
"    greenlet.error: the coroutine began in another thread.\n"
"    Whatever else the function raises.");

PyDoc_STRVAR(coroutine_doc,
"A call of an ordinary function, to be awaited: the result of run().\n\n"
"It is a collections.abc.Coroutine, so a task can be made of it.");

PyMethodDef methods[] = {
    {"send", coroutines::send, METH_O, send_doc},
    {"throw", python::as_method(coroutines::throw_into), METH_FASTCALL, throw_doc},
    {"close", coroutines::close, METH_NOARGS, close_doc},
    {"__reduce__", coroutines::refuse_reduction, METH_NOARGS, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, nullptr},
    {},
};

// Libraries show where a task waits by the attributes of a native coroutine. That has one frame. A function that awaits
// has several: the innermost one is shown, whose f_back leads out to the function.
PyGetSetDef attributes[] = {
    {"__name__", coroutines::get_name, coroutines::set_name, "The name of the function.", nullptr},
    {"__qualname__", coroutines::get_qualified_name, coroutines::set_qualified_name,
     "The qualified name of the function.", nullptr},
    {"cr_frame", coroutines::get_frame, nullptr,
     "While the coroutine is suspended the innermost frame, from which f_back leads out to the function. While it runs\n"
     "the frame of the function. Before the function is called, a frame at its first line. None once the coroutine\n"
     "has finished, and while it runs in another thread.",
     nullptr},
    {"cr_code", coroutines::get_code_of_frame, nullptr,
     "The code that cr_frame executes. Without a frame, the code of the function; None if it has none.", nullptr},
    {"cr_await", coroutines::get_innermost_root, nullptr,
     "What the coroutine awaits, as an iterator, while it is suspended; else None.", nullptr},
    {"cr_origin", coroutines::get_none, nullptr, "Always None.", nullptr},
    {"gi_frame", coroutines::get_frame, nullptr, "The same as cr_frame.", nullptr},
    {"gi_yieldfrom", coroutines::get_innermost_root, nullptr, "The same as cr_await.", nullptr},
    {"cr_state", coroutines::get_state, nullptr,
     "What inspect.getcoroutinestate() returns: CORO_CREATED, CORO_RUNNING, CORO_SUSPENDED or CORO_CLOSED.",
     const_cast<char*>("CORO")},
    {"cr_running", coroutines::is_running, nullptr, "True if the coroutine is running.", nullptr},
    {"cr_suspended", coroutines::is_suspended, nullptr, "True if the coroutine has begun and is suspended.", nullptr},
    {},
};

// Not constexpr: Windows looks up the address of a function of another library at load time.
const coroutines::Class description{
    .name = "greenlet.aio.Coroutine",
    .documentation = coroutine_doc,
    .methods = methods,
    .attributes = attributes,
    .am_await = PyObject_SelfIter,
};

// Copies one name. False with an exception.
bool copy_name(PyObject* coroutine, PyObject* from, const char* name) {
    core::Reference value = core::Reference::steal(PyObject_GetAttrString(from, name));
    if (!value) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return false;
        }
        PyErr_Clear();
        return true;
    }
    return !PyUnicode_Check(value.get()) || PyObject_SetAttrString(coroutine, name, value.get()) == 0;
}

}  // namespace

const core::CoroutineKind coroutine_kind{
    .name = "coroutine", .is_awaited_once = true, .running_task = running_task, .passes_exceptions_on = true};

PyObject* make_coroutine(core::ModuleState& state, PyObject* function, const core::Message& message) noexcept {
    return coroutines::make(layer.of(state).coroutine_type, coroutine_kind, function, message);
}

Answer is_of_running_task(const core::Coroutine& coroutine, core::Thread& thread) noexcept {
    auto* begin = reinterpret_cast<const char*>(&coroutine) - offsetof(Object, coroutine);
    return is_running_task(thread, reinterpret_cast<const Object*>(begin)->task);
}

bool copy_names(PyObject* coroutine, PyObject* from) noexcept {
    return copy_name(coroutine, from, "__name__") && copy_name(coroutine, from, "__qualname__");
}

PyTypeObject* make_coroutine_type() noexcept { return coroutines::make_type(description); }

}  // namespace aio
