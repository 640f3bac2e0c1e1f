// The methods switch() and throw().

#include "core/switch.hpp"
#include "core/parent.hpp"
#include "core/raise.hpp"
#include "core/transfer.hpp"
#include "module/greenlet/parts.hpp"
#include "module/parts.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"

namespace module {

using core::as_greenlet;
using core::Message;
using core::Thread;

namespace {

PyDoc_STRVAR(switch_doc,
"switch($self, /, *args, **kwargs)\n--\n\n"
"Switch to this greenlet, and suspend the current one.\n\n"
"The first switch to a greenlet starts it: it calls run(*args, **kwargs). A later one resumes it: there\n"
"the call of switch() that suspended it returns what is passed here. That is () for no arguments, the\n"
"argument itself for a single positional one, a tuple for several, a dict for keyword arguments alone,\n"
"and (args, kwargs) for both. A switch to a finished greenlet goes to its parent instead. A switch to\n"
"the current greenlet returns at once.\n\n"
"Parameters:\n"
"    args, kwargs: the arguments of run, or what the other switch() returns.\n"
"Returns:\n"
"    What the current greenlet is resumed with, by the same rules. If a child of it finishes, that is the\n"
"    result of the child's run.\n"
"Raises:\n"
"    greenlet.error: the greenlet belongs to another thread, or to one that has ended.\n"
"    AttributeError: the greenlet is not started, and has no run.\n"
"    MemoryError: the greenlet is not started, and there is no memory for its stack.\n"
"    Whatever is thrown into the current greenlet, or raised by a child.");

// A plain switch whose arguments first have to be made into a value.
[[gnu::noinline]] PyObject* switch_with(PyGreenlet* g, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    Thread& thread = *g->pimpl->thread;
    Message message{args, count, names};
    PyObject* value = core::as_value(message, *thread.module);
    if (value == nullptr) {
        return nullptr;
    }
    if (!core::is_plain_switch(g)) [[unlikely]] {  // as_value() may have run code
        Py_DECREF(value);
        return core::switch_to(g, message);
    }
    return core::transfer(thread, g, value, message.call());
}

// A function of its own, so that greenlet_switch() needs no frame.
[[gnu::noinline]] PyObject* switch_otherwise(PyGreenlet* g, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    return core::switch_to(g, Message{args, count, names});
}

PyObject* greenlet_switch(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    PyGreenlet* g = as_greenlet(self);
    if (!core::is_plain_switch(g)) {
        return switch_otherwise(g, args, count, names);
    }
    // Most switches take this shortest way, without a Message. core::transfer() does the same, but here it
    // must be inlined.
    if (count <= 1 && names == nullptr) [[likely]] {
        Thread& thread = *g->pimpl->thread;
        PyObject* value = Py_NewRef(count == 1 ? args[0] : thread.module->no_arguments);
        return core::suspend(thread, core::Reference::to(self), value, {args, count, nullptr});
    }
    return switch_with(g, args, count, names);
}

PyDoc_STRVAR(throw_doc,
"throw($self, /, *exception)\n--\n\n"
"Switch to this greenlet, and raise an exception there.\n\n"
"A greenlet that was never started finishes at once with the exception. One that has\n"
"finished passes it to its parent, except for GreenletExit, which is returned.\n\n"
"Parameters:\n"
"    exception: up to three arguments, as throw(typ, val, tb).\n"
"    typ: an exception class, or an exception. The default is GreenletExit.\n"
"    val: the argument that the exception is made with, or an exception of that class; None if typ is an\n"
"        exception.\n"
"    tb: the traceback that the exception starts with, or None.\n"
"Returns:\n"
"    What the current greenlet is resumed with; see switch().\n"
"Raises:\n"
"    TypeError: the arguments are not of these kinds. There is no switch then.\n"
"    Whatever switch() raises.");

PyObject* greenlet_throw(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    if (!python::check_count("throw", count, 0, 3)) {
        return nullptr;
    }
    auto argument = [&](Py_ssize_t i) { return i < count ? args[i] : nullptr; };
    return throw_into(self, argument(0), argument(1), argument(2));
}

PyObject* greenlet_getstate(PyObject* self, PyObject*) {
    PyErr_Format(PyExc_TypeError, "cannot serialize '%s' object", Py_TYPE(self)->tp_name);
    return nullptr;
}

}  // namespace

PyMethodDef greenlet_methods[] = {
    {"switch", python::as_method(greenlet_switch), METH_FASTCALL | METH_KEYWORDS, switch_doc},
    {"throw", python::as_method(greenlet_throw), METH_FASTCALL, throw_doc},
    {"__getstate__", greenlet_getstate, METH_NOARGS, nullptr},
    {},
};

PyObject* throw_into(PyObject* self, PyObject* type, PyObject* value, PyObject* traceback) noexcept {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    type = type != nullptr ? type : thread->module->greenlet_exit;
    if (!core::raise(type, value, traceback)) {
        return nullptr;
    }
    return core::throw_in_flight(as_greenlet(self));
}

}  // namespace module
