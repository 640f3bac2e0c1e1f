#include "aio/iterator.hpp"

#include "aio/await.hpp"
#include "aio/state.hpp"
#include "core/gc_root.hpp"
#include "core/raise.hpp"
#include "coroutines/methods.hpp"
#include "interpreter/pending_exception.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"

namespace aio {

namespace {

using core::GcRoot;
using core::Reference;

struct Iterator {
    PyObject_HEAD
    PyObject* asynchronous;  // owned
};

Iterator& of(PyObject* self) noexcept { return *reinterpret_cast<Iterator*>(self); }

// The awaitable of the next value. The class may have changed since the iterator was made.
PyObject* next_awaitable(PyObject* asynchronous) {
    PyTypeObject* type = Py_TYPE(asynchronous);
    if (type->tp_as_async == nullptr || type->tp_as_async->am_anext == nullptr) {
        PyErr_Format(PyExc_TypeError, "'%.100s' object is no longer an asynchronous iterator", type->tp_name);
        return nullptr;
    }
    return type->tp_as_async->am_anext(asynchronous);
}

// The result of the awaitable that `make_awaitable` makes from the asynchronous iterator.
template <class Function>
PyObject* awaited(PyObject* self, Function make_awaitable) {
    core::Thread* thread = core::Thread::running();
    if (thread == nullptr || !check_portal(*thread)) {
        return nullptr;
    }
    GcRoot asynchronous(*thread, Reference::borrow(of(self).asynchronous));
    GcRoot awaitable(*thread, Reference::steal(make_awaitable(asynchronous.get())));
    return awaitable ? await(*thread, awaitable.get(), {}) : nullptr;
}

PyObject* iterator_next(PyObject* self) {
    PyObject* value = awaited(self, next_awaitable);
    if (value == nullptr && PyErr_ExceptionMatches(PyExc_StopAsyncIteration)) {
        PyErr_Clear();  // nullptr without an exception means StopIteration
    }
    return value;
}

// A StopAsyncIteration as StopIteration.
PyObject* stop_as_ordinary(PyObject* value) {
    if (value == nullptr && PyErr_ExceptionMatches(PyExc_StopAsyncIteration)) {
        PyErr_Clear();
        PyErr_SetNone(PyExc_StopIteration);
    }
    return value;
}

bool has(PyObject* self, const char* method) { return PyObject_HasAttrString(of(self).asynchronous, method) != 0; }

PyDoc_STRVAR(send_doc,
"send($self, value, /)\n--\n\n"
"Await asend(value) of an asynchronous generator: its `yield` returns the value.\n\n"
"Parameters:\n"
"    value: what `yield` returns.\n"
"Returns:\n"
"    The next value.\n"
"Raises:\n"
"    StopIteration: there is no next value.\n"
"    AttributeError: the iterator has no asend(), and the value is not None.\n"
"    RuntimeError: there is no portal to an event loop here.\n"
"    Whatever the generator raises.");

PyObject* send(PyObject* self, PyObject* value) {
    if (value == Py_None) {
        PyObject* next = iterator_next(self);
        if (next == nullptr && !PyErr_Occurred()) {
            PyErr_SetNone(PyExc_StopIteration);
        }
        return next;
    }
    return stop_as_ordinary(
        awaited(self, [value](PyObject* generator) { return PyObject_CallMethod(generator, "asend", "O", value); }));
}

PyDoc_STRVAR(throw_doc,
"throw($self, typ, val=None, tb=None, /)\n--\n\n"
"Await athrow() of an asynchronous generator: it raises an exception where the generator is suspended.\n\n"
"Without athrow() the exception is raised here.\n\n"
"Parameters:\n"
"    typ: an exception, or an exception class.\n"
"    val: the argument that the exception is made with; only if typ is a class.\n"
"    tb: the traceback that the exception starts with.\n"
"Returns:\n"
"    The next value.\n"
"Raises:\n"
"    StopIteration: there is no next value.\n"
"    TypeError: the arguments are not of these kinds.\n"
"    RuntimeError: there is no portal to an event loop here.\n"
"    Whatever the generator raises.");

PyObject* throw_into(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    if (!python::check_count("throw", count, 1, 3) ||
        !core::raise(args[0], count > 1 ? args[1] : nullptr, count > 2 ? args[2] : nullptr)) {
        return nullptr;
    }
    Reference exception = Reference::steal(interpreter::take_exception());
    if (!has(self, "athrow")) {
        interpreter::put_exception(exception.release());
        return nullptr;
    }
    PyObject* error = exception.get();
    return stop_as_ordinary(
        awaited(self, [error](PyObject* generator) { return PyObject_CallMethod(generator, "athrow", "O", error); }));
}

PyDoc_STRVAR(close_doc,
"close($self, /)\n--\n\n"
"Await aclose() of an asynchronous generator. Does nothing if the iterator has no such method.\n\n"
"Raises:\n"
"    RuntimeError: there is no portal to an event loop here, or the generator yields another value.\n"
"    Whatever the generator raises.");

PyObject* close(PyObject* self, PyObject*) {
    if (!has(self, "aclose")) {
        Py_RETURN_NONE;
    }
    return awaited(self, [](PyObject* generator) { return PyObject_CallMethod(generator, "aclose", nullptr); });
}

PyMethodDef methods[] = {
    {"send", send, METH_O, send_doc},
    {"throw", python::as_method(throw_into), METH_FASTCALL, throw_doc},
    {"close", close, METH_NOARGS, close_doc},
    {"__reduce__", coroutines::refuse_reduction, METH_NOARGS, nullptr},
    {},
};

int iterator_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(of(self).asynchronous);
    return 0;
}

void iterator_deallocate(PyObject* self) {
    PyObject_GC_UnTrack(self);
    Py_CLEAR(of(self).asynchronous);
    python::free_instance(self);
}

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("An iterator that awaits the values of an asynchronous one: the result of iter_().")},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(iterator_next)},
    {Py_tp_methods, methods},
    {Py_tp_traverse, reinterpret_cast<void*>(iterator_traverse)},
    {Py_tp_dealloc, reinterpret_cast<void*>(iterator_deallocate)},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet.aio.Iterator",
    sizeof(Iterator),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    slots,
};

}  // namespace

PyObject* make_iterator(core::ModuleState& state, PyObject* iterable) noexcept {
    Reference asynchronous = Reference::steal(PyObject_GetAIter(iterable));
    if (!asynchronous) {
        return nullptr;
    }
    auto* self = PyObject_GC_New(Iterator, layer.of(state).iterator_type);
    if (self != nullptr) {
        self->asynchronous = asynchronous.release();
        PyObject_GC_Track(self);
    }
    return reinterpret_cast<PyObject*>(self);
}

PyTypeObject* make_iterator_type() noexcept { return python::make_type(spec); }

}  // namespace aio
