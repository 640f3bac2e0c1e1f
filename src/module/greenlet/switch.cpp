// The methods switch() and throw().

#include "core/parent.hpp"
#include "core/raise.hpp"
#include "core/switch.hpp"
#include "core/transfer.hpp"
#include "module/greenlet/parts.hpp"
#include "module/module.hpp"
#include "python/define.hpp"

namespace module {

using core::as_greenlet;
using core::Message;
using core::Thread;

namespace {

PyDoc_STRVAR(switch_doc,
"switch($self, /, *args, **kwargs)\n--\n\n"
"Switch to this greenlet, and suspend the current one.\n\n"
"The first switch to a greenlet starts it: it calls run(*args, **kwargs). A later one\n"
"resumes it: the call of switch() that suspended it returns there what is passed here,\n"
"which is () for nothing, the argument if it is a single positional one, the tuple of several,\n"
"the dict of keyword arguments alone, or (args, kwargs) for both. Switching to a greenlet that has\n"
"finished switches to its parent instead; switching to the current one returns at once.\n\n"
"Returns:\n"
"    What the current greenlet is resumed with, by the same rules; the result of a child's\n"
"    run if that child finished.\n"
"Raises:\n"
"    greenlet.error: the greenlet belongs to another thread, or to one that has ended.\n"
"    AttributeError: it is to be started, and has no run.\n"
"    MemoryError: it is to be started, and there is no memory for its stack.\n"
"    Whatever is thrown into the current greenlet, or is raised by a child.");

// With arguments from which a value has to be made, to a greenlet for which a plain switch will do.
[[gnu::noinline]] PyObject* switch_with(PyGreenlet* g, const Message& message) {
    Thread& thread = *g->pimpl->thread;
    PyObject* value = core::as_value(message, *thread.module);
    if (value == nullptr) {
        return nullptr;
    }
    if (!core::is_plain_switch(g)) [[unlikely]] {  // any more
        Py_DECREF(value);
        return core::switch_to(g, message);
    }
    return core::transfer(thread, g, value, message.call());
}

PyObject* greenlet_switch(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    PyGreenlet* g = as_greenlet(self);
    if (!core::is_plain_switch(g)) {
        return core::switch_to(g, Message{args, count, names});
    }
    // What most switches are takes the shortest way, without a Message.
    if (count <= 1 && names == nullptr) [[likely]] {
        Thread& thread = *g->pimpl->thread;
        PyObject* value = Py_NewRef(count == 1 ? args[0] : thread.module->no_arguments);
        return core::transfer(thread, g, value, {args, count, nullptr});
    }
    return switch_with(g, Message{args, count, names});
}

PyDoc_STRVAR(throw_doc,
"throw($self, /, *exception)\n--\n\n"
"Switch to this greenlet, and raise an exception there.\n\n"
"A greenlet that was never started finishes at once with the exception. One that has\n"
"finished passes it to its parent, except for GreenletExit, which is returned.\n\n"
"Parameters, as throw([typ[, val[, tb]]]):\n"
"    typ: a class of exceptions, or an exception. The default is GreenletExit.\n"
"    val: what to make the exception with, or one of that class; None if typ is an exception.\n"
"    tb: the traceback to begin with, or None.\n"
"Returns:\n"
"    What the current greenlet is resumed with; see switch().\n"
"Raises:\n"
"    TypeError: the arguments are not of these kinds. The greenlet is left alone.\n"
"    What switch() raises.");

PyObject* greenlet_throw(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    if (count > 3) {
        PyErr_Format(PyExc_TypeError, "throw() takes at most 3 arguments (%zd given)", count);
        return nullptr;
    }
    return throw_into(self, count > 0 ? args[0] : nullptr, count > 1 ? args[1] : nullptr, count > 2 ? args[2] : nullptr);
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
