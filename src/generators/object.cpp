#include "generators/object.hpp"

#include "coroutines/attributes.hpp"
#include "coroutines/class.hpp"
#include "coroutines/methods.hpp"
#include "coroutines/object.hpp"
#include "generators/state.hpp"
#include "python/define.hpp"

namespace generators {

namespace {

PyDoc_STRVAR(send_doc,
"send($self, value, /)\n--\n\n"
"Resume the generator with the value that yield_() returns there, and return the next value.\n\n"
"Parameters:\n"
"    value: what yield_() returns; None to begin.\n"
"Returns:\n"
"    The value that the generator yields next.\n"
"Raises:\n"
"    StopIteration: the function returned; the exception's value is what it returned.\n"
"    TypeError: the generator has not begun, and the value is not None.\n"
"    ValueError: the generator is running.\n"
"    greenlet.error: the generator began in another thread.\n"
"    Whatever the function raises; a StopIteration becomes the cause of a RuntimeError.");

PyDoc_STRVAR(throw_doc,
"throw($self, typ, val=None, tb=None, /)\n--\n\n"
"Raise an exception where the generator is suspended, and return the next value.\n\n"
"A generator that has not begun finishes with the exception.\n\n"
"Parameters:\n"
"    typ: an exception, or an exception class.\n"
"    val: the argument that the exception is made with; only if typ is a class.\n"
"    tb: the traceback that the exception starts with.\n"
"Returns:\n"
"    The value that the generator yields next.\n"
"Raises:\n"
"    TypeError: the arguments are not of these kinds.\n"
"    Whatever else send() raises.");

PyDoc_STRVAR(close_doc,
"close($self, /)\n--\n\n"
"End the generator: raise GeneratorExit where it is suspended.\n\n"
"Returns:\n"
"    What the function returns if it catches the exception, else None.\n"
"Raises:\n"
"    RuntimeError: the generator yields another value.\n"
"    ValueError: the generator is running.\n"
"    greenlet.error: the generator began in another thread.\n"
"    Whatever else the function raises.");

PyDoc_STRVAR(generator_doc,
"An iterator over the values that a function, and what it calls, passes to yield_().\n\n"
"Calling a function that generator() decorates makes one. It has the methods and attributes of a\n"
"native generator.");

PyMethodDef methods[] = {
    {"send", coroutines::send, METH_O, send_doc},
    {"throw", python::as_method(coroutines::throw_into), METH_FASTCALL, throw_doc},
    {"close", coroutines::close, METH_NOARGS, close_doc},
    {"__reduce__", coroutines::refuse_reduction, METH_NOARGS, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, nullptr},
    {},
};

PyGetSetDef attributes[] = {
    {"__name__", coroutines::get_name, coroutines::set_name, "The name of the function.", nullptr},
    {"__qualname__", coroutines::get_qualified_name, coroutines::set_qualified_name,
     "The qualified name of the function.", nullptr},
    {"gi_code", coroutines::get_code, nullptr, "The code of the function, or None.", nullptr},
    {"gi_frame", coroutines::get_frame, nullptr,
     "While the generator is suspended the innermost frame, from which f_back leads out to the function. While it runs\n"
     "the frame of the function. Before the function is called, a frame at its first line. None once the generator\n"
     "has finished, and while it runs in another thread.",
     nullptr},
    {"gi_state", coroutines::get_state, nullptr,
     "What inspect.getgeneratorstate() returns: GEN_CREATED, GEN_RUNNING, GEN_SUSPENDED or GEN_CLOSED.",
     const_cast<char*>("GEN")},
    {"gi_running", coroutines::is_running, nullptr, "True if the generator is running.", nullptr},
    {"gi_suspended", coroutines::is_suspended, nullptr, "True if the generator has begun and is suspended.", nullptr},
    {"gi_yieldfrom", coroutines::get_none, nullptr, "Always None.", nullptr},
    {},
};

constexpr coroutines::Class description{
    .name = "greenlet.generators.Generator",
    .documentation = generator_doc,
    .methods = methods,
    .attributes = attributes,
    .am_await = nullptr,
};

}  // namespace

const core::CoroutineKind generator_kind{
    .name = "generator", .is_awaited_once = false, .running_task = nullptr, .passes_exceptions_on = false};

PyObject* make_generator(core::ModuleState& state, PyObject* function, const core::Message& message) noexcept {
    return coroutines::make(layer.of(state).generator_type, generator_kind, function, message);
}

PyTypeObject* make_generator_type() noexcept { return coroutines::make_type(description); }

}  // namespace generators
