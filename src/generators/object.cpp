#include "generators/object.hpp"

#include "coroutines/object.hpp"
#include "generators/generators.hpp"
#include "python/define.hpp"

namespace generators {

namespace {

using python::as_method;

PyDoc_STRVAR(send_doc,
"send($self, value, /)\n--\n\n"
"Resume the generator, have yield_() return a value there, and wait for the next one.\n\n"
"Returns:\n"
"    The value that the generator yields next.\n"
"Raises:\n"
"    StopIteration: the function returned; the exception's value is what it returned.\n"
"    TypeError: the generator has not begun, and the value is not None.\n"
"    ValueError: the generator is running.\n"
"    greenlet.error: it was begun in another thread.\n"
"    Whatever the function raises, but StopIteration as the cause of a RuntimeError.");

PyDoc_STRVAR(throw_doc,
"throw($self, typ, val=None, tb=None, /)\n--\n\n"
"Raise an exception where the generator is suspended, and wait for the next value.\n\n"
"A generator that has not begun finishes with the exception.\n\n"
"Parameters:\n"
"    typ: an exception, or a class of exceptions.\n"
"    val: what to make the exception with; only if typ is a class.\n"
"    tb: the traceback to begin with.\n"
"Returns, raises:\n"
"    As send(); TypeError if the arguments are not of these kinds.");

PyDoc_STRVAR(close_doc,
"close($self, /)\n--\n\n"
"Raise GeneratorExit where the generator is suspended, so that it ends.\n\n"
"Returns:\n"
"    What the function returns if it catches the exception, else None.\n"
"Raises:\n"
"    RuntimeError: it yielded another value.\n"
"    ValueError: it is running.\n"
"    greenlet.error: it was begun in another thread.\n"
"    Whatever else the function raises.");

PyDoc_STRVAR(generator_doc,
"An iterator over the values that a function, and what it calls, passes to yield_().\n\n"
"It is made by calling a function that generator() decorates, and has the methods and attributes\n"
"of a generator of the language.");

PyMethodDef methods[] = {
    {"send", coroutines::send, METH_O, send_doc},
    {"throw", as_method(coroutines::throw_into), METH_FASTCALL, throw_doc},
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
     "The innermost frame of a generator that is suspended, from which f_back leads out to the function; else None.",
     nullptr},
    {"gi_running", coroutines::is_running, nullptr, "Is it running?", nullptr},
    {"gi_suspended", coroutines::is_suspended, nullptr, "Has it begun, and waits to be resumed?", nullptr},
    {"gi_yieldfrom", coroutines::get_none, nullptr, "None.", nullptr},
    {},
};

constexpr coroutines::Class description{
    .name = "greenlet.generators.Generator",
    .documentation = generator_doc,
    .methods = methods,
    .attributes = attributes,
    .next = coroutines::next,
    .am_send = coroutines::am_send,
    .am_await = nullptr,
};

}  // namespace

const core::CoroutineKind generator_kind{
    .name = "generator", .is_awaited_once = false, .running_task = nullptr, .passes_exceptions_on = false};

PyObject* make_generator(core::ModuleState& state, PyObject* function, const core::Message& message) noexcept {
    return coroutines::make(layer.of(state).generator, generator_kind, function, message);
}

PyTypeObject* make_generator_type() noexcept { return coroutines::make_type(description); }

}  // namespace generators
