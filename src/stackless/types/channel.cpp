// The class channel.

#include <cstddef>
#include <utility>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"
#include "stackless/channel.hpp"
#include "stackless/describe.hpp"
#include "stackless/operations.hpp"
#include "stackless/ownership.hpp"
#include "stackless/rendezvous.hpp"
#include "stackless/types/types.hpp"

#include <structmember.h>  // after Python.h

namespace stackless {

using core::Reference;
using interpreter::Holding;
using python::as_method;

namespace {

using Arguments = PyObject* const*;

Channel& of(PyObject* self) noexcept { return *as_channel(self); }

// --- sending and receiving -------------------------------------------------------------------------------------------

PyDoc_STRVAR(send_doc,
"send($self, value, /)\n--\n\n"
"Pass a value to a tasklet that receives. Wait for one if there is none.\n\n"
"preference and schedule_all decide which of the two runs then, and which is only scheduled.\n\n"
"Parameters:\n"
"    value: any object.\n"
"Raises:\n"
"    RuntimeError: the tasklet would have to wait, and no other one can run (a deadlock) or block_trap is\n"
"        set; or it would have to switch, and switches are trapped, see switch_trap().\n"
"    ValueError: the tasklet would have to wait, and the channel is closed.\n"
"    Any exception that is thrown into the tasklet while it waits.");

PyObject* channel_send(PyObject* self, Arguments args, Py_ssize_t count) {
    return python::check_count("send", count, 1, 1) ? send(of(self), Py_NewRef(args[0]), {args, count, nullptr})
                                                    : nullptr;
}

PyDoc_STRVAR(receive_doc,
"receive($self, /)\n--\n\n"
"Take a value from a tasklet that sends. Wait for one if there is none.\n\n"
"Returns:\n"
"    The value.\n"
"Raises:\n"
"    The exception that was sent, and what send() raises.");

PyObject* channel_receive(PyObject* self, Arguments args, Py_ssize_t count) {
    return python::check_count("receive", count, 0, 0) ? receive(of(self), {args, count, nullptr}) : nullptr;
}

PyDoc_STRVAR(send_exception_doc,
"send_exception($self, exc, /, *args)\n--\n\n"
"Like send(), but receive() raises the exception exc(*args) in the other tasklet.\n\n"
"Parameters:\n"
"    exc: an exception class; or an exception, without args.\n"
"    args: the arguments that the exception is made with.\n"
"Raises:\n"
"    TypeError: exc is neither.\n"
"    What send() raises.");

PyObject* channel_send_exception(PyObject* self, PyObject* args) {
    if (PyTuple_GET_SIZE(args) < 1) {
        PyErr_SetString(PyExc_TypeError, "send_exception() needs an exception");
        return nullptr;
    }
    Reference rest = Reference::steal(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
    if (!rest) {
        return nullptr;
    }
    bool has_rest = PyTuple_GET_SIZE(rest.get()) > 0;
    PyObject* exception = make_exception(PyTuple_GET_ITEM(args, 0), has_rest ? rest.get() : Py_None, Py_None);
    return exception != nullptr ? send_error(of(self), exception) : nullptr;
}

PyDoc_STRVAR(send_throw_doc,
"send_throw($self, /, exc, val=None, tb=None)\n--\n\n"
"Like send(), but receive() raises an exception in the other tasklet.\n\n"
"Parameters:\n"
"    exc: an exception class or an exception.\n"
"    val: the argument of the class, a tuple of its arguments, or an instance of it; None if exc is an\n"
"        exception.\n"
"    tb: the initial traceback, or None.\n"
"Raises:\n"
"    TypeError: an argument is none of these.\n"
"    What send() raises.");

PyObject* channel_send_throw(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"exc", "val", "tb", nullptr};
    PyObject *type, *value = Py_None, *traceback = Py_None;
    if (!python::parse(args, kwargs, "O|OO:send_throw", names, &type, &value, &traceback)) {
        return nullptr;
    }
    PyObject* exception = make_exception(type, value, traceback);
    return exception != nullptr ? send_error(of(self), exception) : nullptr;
}

PyDoc_STRVAR(send_sequence_doc,
"send_sequence($self, seq, /)\n--\n\n"
"Send each element of an iterable with send().\n\n"
"Parameters:\n"
"    seq: an iterable.\n"
"Returns:\n"
"    The number of elements.\n"
"Raises:\n"
"    What iterating over seq raises, and what send() raises.");

PyObject* channel_send_sequence(PyObject* self, PyObject* sequence) {
    Reference iterator = Reference::steal(PyObject_GetIter(sequence));
    if (!iterator) {
        return nullptr;
    }
    Py_ssize_t count = 0;
    while (PyObject* item = PyIter_Next(iterator.get())) {
        Reference sent = Reference::steal(send(of(self), item, {}));
        if (!sent) {
            return nullptr;
        }
        ++count;
    }
    return PyErr_Occurred() ? nullptr : PyLong_FromSsize_t(count);
}

// Iteration ends where receive() would raise an error because the channel is closed.
PyObject* channel_next(PyObject* self) {
    Channel& c = of(self);
    return c.closing && c.balance <= 0 ? nullptr : receive(c, {});
}

PyDoc_STRVAR(next_doc,
"next($self, /)\n--\n\n"
"Take a value with receive(), as iteration over the channel does.\n\n"
"Returns:\n"
"    The value.\n"
"Raises:\n"
"    StopIteration: it was sent with send_exception(), or the channel is closed and no tasklet sends.\n"
"    What receive() raises.");

PyObject* channel_next_method(PyObject* self, PyObject*) {
    PyObject* value = channel_next(self);
    if (value == nullptr && !PyErr_Occurred()) {
        PyErr_SetNone(PyExc_StopIteration);
    }
    return value;
}

// --- closing ---------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(close_doc,
"close($self, /)\n--\n\n"
"Close the channel: no tasklet may begin to wait on it. Others can still meet those that wait already.");

PyObject* channel_close(PyObject* self, PyObject*) {
    of(self).closing = true;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(open_doc,
"open($self, /)\n--\n\n"
"Open a closed channel again.");

PyObject* channel_open(PyObject* self, PyObject*) {
    of(self).closing = false;
    Py_RETURN_NONE;
}

// --- attributes ------------------------------------------------------------------------------------------------------

PyObject* get_balance(PyObject* self, void*) { return PyLong_FromSsize_t(of(self).balance); }
PyObject* get_closing(PyObject* self, void*) { return PyBool_FromLong(of(self).closing); }
PyObject* get_closed(PyObject* self, void*) {
    return PyBool_FromLong(of(self).closing && of(self).waiting.first() == nullptr);
}
PyObject* get_preference(PyObject* self, void*) { return PyLong_FromLong(of(self).preference); }
PyObject* get_schedule_all(PyObject* self, void*) { return PyLong_FromLong(of(self).schedule_all); }

PyObject* get_queue(PyObject* self, void*) {
    Holding lock(tasklets_lock);
    Tasklet* first = of(self).waiting.first();
    return Py_NewRef(first != nullptr ? as_object(first) : Py_None);
}

// Parses the value of an attribute that must be an integer. False with an exception.
bool parse_integer(PyObject* value, const char* name, long& number) noexcept {
    if (value == nullptr || !PyLong_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be set to an integer", name);
        return false;
    }
    int overflow;
    number = PyLong_AsLongAndOverflow(value, &overflow);
    number = overflow != 0 ? overflow : number;
    return true;
}

int set_preference(PyObject* self, PyObject* value, void*) {
    long number;
    if (!parse_integer(value, "preference", number)) {
        return -1;
    }
    of(self).preference = number < 0 ? -1 : number > 0 ? 1 : 0;
    return 0;
}

int set_schedule_all(PyObject* self, PyObject* value, void*) {
    long number;
    if (!parse_integer(value, "schedule_all", number)) {
        return -1;
    }
    of(self).schedule_all = number != 0;
    return 0;
}

// --- pickling --------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(reduce_doc,
"__reduce__($self, /)\n--\n\n"
"Support pickle and copy.\n\n"
"Raises:\n"
"    NotImplementedError: a tasklet waits on the channel. It has begun to run, so it can't be pickled.");

PyObject* channel_reduce(PyObject* self, PyObject*) {
    Channel& c = of(self);
    if (c.waiting.first() != nullptr) {
        PyErr_SetString(
            PyExc_NotImplementedError,
            "a channel that tasklets wait on can't be pickled: they have C stacks, which only mean something "
            "in this process");
        return nullptr;
    }
    return Py_BuildValue("O()(iii)", Py_TYPE(self), int(c.preference), int(c.schedule_all), int(c.closing));
}

PyDoc_STRVAR(setstate_doc,
"__setstate__($self, state, /)\n--\n\n"
"Support pickle and copy: restore the state that __reduce__() returned.");

PyObject* channel_setstate(PyObject* self, PyObject* state) {
    int preference, schedule_all, closing;
    if (!PyTuple_Check(state)) {
        PyErr_SetString(PyExc_TypeError, "the state of a channel is a tuple");
        return nullptr;
    }
    if (!PyArg_ParseTuple(state, "ipp:__setstate__", &preference, &schedule_all, &closing)) {
        return nullptr;
    }
    of(self).preference = preference;
    of(self).schedule_all = schedule_all;
    of(self).closing = closing;
    return Py_NewRef(self);
}

// --- the object ------------------------------------------------------------------------------------------------------

PyObject* channel_new(PyTypeObject* type, PyObject*, PyObject*) {
    PyObject* self = type->tp_alloc(type, 0);
    if (self != nullptr) {
        of(self).preference = -1;
    }
    return self;
}

int channel_init(PyObject*, PyObject*, PyObject*) { return 0; }

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    for (Tasklet* t = of(self).waiting.first(); t != nullptr; t = of(self).waiting.after(t)) {
        Py_VISIT(as_object(t));
    }
    return 0;
}

// Unlinks the tasklets that survived being killed. They are paused then.
int clear(PyObject* self) {
    Channel& c = of(self);
    for (;;) {
        Holding lock(tasklets_lock);
        Tasklet* t = c.waiting.first();
        if (t == nullptr) {
            return 0;
        }
        c.remove(t);
        drop_ownership(t);
        lock.release();
        Py_DECREF(t);
    }
}

void deallocate(PyObject* self) {
    PyObject_GC_UnTrack(self);
    if (of(self).weak_references != nullptr) {
        PyObject_ClearWeakRefs(self);
    }
    clear(self);
    Py_XDECREF(of(self).last_user);
    python::free_instance(self);
}

PyDoc_STRVAR(channel_doc,
"channel()\n--\n\n"
"Passes values from one tasklet to another. The tasklet that comes first waits for the other one.\n\n"
"Iteration over a channel receives values until StopIteration is sent, or the channel is closed.");

PyMethodDef methods[] = {
    {"send", as_method(channel_send), METH_FASTCALL, send_doc},
    {"receive", as_method(channel_receive), METH_FASTCALL, receive_doc},
    {"send_exception", channel_send_exception, METH_VARARGS, send_exception_doc},
    {"send_throw", as_method(channel_send_throw), METH_VARARGS | METH_KEYWORDS, send_throw_doc},
    {"send_sequence", channel_send_sequence, METH_O, send_sequence_doc},
    {"next", channel_next_method, METH_NOARGS, next_doc},
    {"close", channel_close, METH_NOARGS, close_doc},
    {"open", channel_open, METH_NOARGS, open_doc},
    {"__reduce__", channel_reduce, METH_NOARGS, reduce_doc},
    {"__setstate__", channel_setstate, METH_O, setstate_doc},
    {},
};

PyGetSetDef attributes[] = {
    {"balance", get_balance, nullptr,
     "The number of tasklets that wait to send, or, negative, of those that wait to receive.", nullptr},
    {"queue", get_queue, nullptr, "The first tasklet that waits on the channel, or None.", nullptr},
    {"closing", get_closing, nullptr, "True if the channel was closed.", nullptr},
    {"closed", get_closed, nullptr, "True if the channel was closed, and no tasklet waits on it.", nullptr},
    {"preference", get_preference, set_preference,
     "Which of two tasklets that meet runs first: -1 the receiver, 1 the sender, 0 the one that did not have to wait.\n"
     "The other one is scheduled.",
     nullptr},
    {"schedule_all", get_schedule_all, set_schedule_all,
     "If 1, two tasklets that meet are both scheduled, and the next runnable one runs, whatever the preference.",
     nullptr},
    {},
};

PyMemberDef offsets[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Channel, weak_references), READONLY, nullptr},
    {},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(channel_doc)},
    {Py_tp_new, reinterpret_cast<void*>(channel_new)},
    {Py_tp_init, reinterpret_cast<void*>(channel_init)},
    {Py_tp_repr, reinterpret_cast<void*>(repr_of_channel)},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(channel_next)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, offsets},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet.stackless.channel",
    sizeof(Channel),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    slots,
};

}  // namespace

PyObject* make_channel_type() noexcept { return PyType_FromSpec(&spec); }

}  // namespace stackless
