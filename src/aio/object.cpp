#include "aio/object.hpp"

#include "aio/aio.hpp"
#include <cstddef>

#include "aio/task.hpp"
#include "core/reference.hpp"
#include "coroutines/object.hpp"
#include "python/define.hpp"

namespace aio {

namespace {

using python::as_method;
using coroutines::Object;

PyDoc_STRVAR(send_doc,
"send($self, value, /)\n--\n\n"
"Go on with the function, until it awaits something that has to wait. For event loops.\n\n"
"Parameters:\n"
"    value: the result of what it waits for; None to begin.\n"
"Returns:\n"
"    What the awaitable yields to the event loop.\n"
"Raises:\n"
"    StopIteration: the function returned; the exception's value is what it returned.\n"
"    RuntimeError: it was awaited to its end before.\n"
"    TypeError: it has not begun, and the value is not None.\n"
"    ValueError: it is running.\n"
"    greenlet.error: it was begun in another thread.\n"
"    Whatever the function raises, but StopIteration as the cause of a RuntimeError.");

PyDoc_STRVAR(throw_doc,
"throw($self, typ, val=None, tb=None, /)\n--\n\n"
"Raise an exception in what the function waits for. For event loops.\n\n"
"A coroutine that has not begun finishes with the exception.\n\n"
"Parameters:\n"
"    typ: an exception, or a class of exceptions.\n"
"    val: what to make the exception with; only if typ is a class.\n"
"    tb: the traceback to begin with.\n"
"Returns, raises:\n"
"    As send(); TypeError if the arguments are not of these kinds.");

PyDoc_STRVAR(close_doc,
"close($self, /)\n--\n\n"
"Raise GeneratorExit in what the function waits for, so that it ends.\n\n"
"Returns:\n"
"    What the function returns if it catches the exception, else None.\n"
"Raises:\n"
"    RuntimeError: it waits for something else then.\n"
"    ValueError: it is running.\n"
"    greenlet.error: it was begun in another thread.\n"
"    Whatever else the function raises.");

PyDoc_STRVAR(coroutine_doc,
"A call of an ordinary function, to be awaited: the result of run().\n\n"
"It is a collections.abc.Coroutine, which can be made a task of.");

PyMethodDef methods[] = {
    {"send", coroutines::send, METH_O, send_doc},
    {"throw", as_method(coroutines::throw_into), METH_FASTCALL, throw_doc},
    {"close", coroutines::close, METH_NOARGS, close_doc},
    {"__reduce__", coroutines::refuse_reduction, METH_NOARGS, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, nullptr},
    {},
};

// No cr_frame and cr_await: who finds those takes this for the call of an `async def` function, which has a frame from the
// beginning, and one only. Asyncio and Trio look for a generator's attributes next, to show the stack of a task.
PyGetSetDef attributes[] = {
    {"__name__", coroutines::get_name, coroutines::set_name, "The name of the function.", nullptr},
    {"__qualname__", coroutines::get_qualified_name, coroutines::set_qualified_name,
     "The qualified name of the function.", nullptr},
    {"gi_frame", coroutines::get_frame, nullptr,
     "The innermost frame if it waits for something, from which f_back leads out to the function; else None.", nullptr},
    {"gi_yieldfrom", coroutines::get_none, nullptr, "None.", nullptr},
    {"cr_running", coroutines::is_running, nullptr, "Is it running?", nullptr},
    {"cr_suspended", coroutines::is_suspended, nullptr, "Has it begun, and waits for something?", nullptr},
    {},
};

constexpr coroutines::Class description{
    .name = "greenlet.aio.Coroutine",
    .documentation = coroutine_doc,
    .methods = methods,
    .attributes = attributes,
    .next = coroutines::next,
    .am_send = coroutines::am_send,
    .am_await = PyObject_SelfIter,
};

bool take_name(PyObject* coroutine, PyObject* from, const char* name) {
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

bool take_names(PyObject* coroutine, PyObject* from) noexcept {
    return take_name(coroutine, from, "__name__") && take_name(coroutine, from, "__qualname__");
}

PyTypeObject* make_coroutine_type() noexcept { return coroutines::make_type(description); }

}  // namespace aio
