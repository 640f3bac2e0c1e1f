// The class channel.

#include <cstddef>
#include <utility>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"
#include "stackless/channel.hpp"
#include "stackless/describe.hpp"
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

bool check_count(const char* name, Py_ssize_t count, Py_ssize_t wanted) noexcept {
    if (count == wanted) [[likely]] {
        return true;
    }
    PyErr_Format(PyExc_TypeError, "%s() takes %zd argument%s (%zd given)", name, wanted, wanted == 1 ? "" : "s", count);
    return false;
}

PyDoc_STRVAR(send_doc,
"send($self, value, /)\n--\n\n"
"Hand a value to a tasklet that receives; wait for one if there is none.\n\n"
"Who goes on then, and who is only scheduled, is decided by preference and schedule_all.\n\n"
"Raises:\n"
"    RuntimeError: it would have to wait, and no other tasklet could run: a deadlock. Or it would have\n"
"        to wait with block_trap set, or to switch while switches are trapped.\n"
"    ValueError: it would have to wait, and the channel is closed.\n"
"    Whatever is raised in the tasklet while it waits.");

PyObject* channel_send(PyObject* self, Arguments args, Py_ssize_t count) {
    return check_count("send", count, 1) ? send(of(self), Py_NewRef(args[0]), {args, count, nullptr}) : nullptr;
}

PyDoc_STRVAR(receive_doc,
"receive($self, /)\n--\n\n"
"Take a value from a tasklet that sends; wait for one if there is none.\n\n"
"Returns:\n"
"    The value.\n"
"Raises:\n"
"    What send() raises; and the exception that was sent.");

PyObject* channel_receive(PyObject* self, Arguments args, Py_ssize_t count) {
    return check_count("receive", count, 0) ? receive(of(self), {args, count, nullptr}) : nullptr;
}

PyDoc_STRVAR(send_exception_doc,
"send_exception($self, exc, /, *args)\n--\n\n"
"Like send(), but have the exception exc(*args) raised in the tasklet that receives.\n\n"
"Parameters:\n"
"    exc: a class of exceptions; or an exception, without args.\n"
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
"Like send(), but have an exception raised in the tasklet that receives.\n\n"
"Parameters:\n"
"    exc: a class of exceptions or an exception.\n"
"    val: what to make the exception with, or one of that class; None if exc is an exception.\n"
"    tb: the traceback to begin with, or None.\n"
"Raises:\n"
"    TypeError: they are not of these kinds.\n"
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
"send() each element of an iterable.\n\n"
"Returns:\n"
"    How many there were.\n"
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

// Iteration ends where receive() would say that the channel is closed.
PyObject* channel_next(PyObject* self) {
    Channel& c = of(self);
    return c.closing && c.balance <= 0 ? nullptr : receive(c, {});
}

PyDoc_STRVAR(next_doc,
"next($self, /)\n--\n\n"
"receive(), as iteration over the channel does.\n\n"
"Raises:\n"
"    StopIteration: it was sent with send_exception(); or the channel is closed and nobody sends.");

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
"Let no more tasklets wait on the channel. Those that wait already can still be met.");

PyObject* channel_close(PyObject* self, PyObject*) {
    of(self).closing = true;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(open_doc,
"open($self, /)\n--\n\n"
"Undo close().");

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

// An attribute that is set to an integer. False with an exception.
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
"For pickle and copy: a channel that nobody waits on.\n\n"
"Raises:\n"
"    NotImplementedError: a tasklet waits on it, and one that has begun to run can't be pickled.");

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
"For pickle and copy: what __reduce__() made.");

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

// Tasklets that did not let themselves be killed wait for nothing any more.
int clear(PyObject* self) {
    Channel& c = of(self);
    for (;;) {
        Holding lock(tasklets_lock);
        Tasklet* t = c.waiting.first();
        if (t == nullptr) {
            return 0;
        }
        c.remove(t);
        unhold(t);
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
    Py_XDECREF(of(self).user);
    python::free_instance(self);
}

PyDoc_STRVAR(channel_doc,
"channel()\n--\n\n"
"Where tasklets meet: one hands a value over, another one takes it. Who comes first waits.\n\n"
"Iterating over a channel receives until StopIteration is sent, or the channel is closed.");

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
    {"balance", get_balance, nullptr, "How many tasklets wait to send; negative: to receive.", nullptr},
    {"queue", get_queue, nullptr, "The first tasklet that waits, or None.", nullptr},
    {"closing", get_closing, nullptr, "Was close() called?", nullptr},
    {"closed", get_closed, nullptr, "Was close() called, and does nobody wait?", nullptr},
    {"preference", get_preference, set_preference,
     "Who goes on at once when two tasklets meet: -1 the one that receives, 1 the one that sends, 0 the one that did not\n"
     "have to wait. The other one is scheduled.",
     nullptr},
    {"schedule_all", get_schedule_all, set_schedule_all,
     "If 1, both are scheduled when two tasklets meet, and it is the next one's turn, whatever the preference.",
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
