#include "aio/iterator.hpp"

#include "aio/await.hpp"
#include "core/held.hpp"
#include "coroutines/object.hpp"

namespace aio {

namespace {

using core::Held;
using core::Reference;

struct Iterator {
    PyObject_HEAD
    PyObject* asynchronous;  // owned
};

Iterator& of(PyObject* self) noexcept { return *reinterpret_cast<Iterator*>(self); }

// What to await for the next value. Its class may have changed since it gave the iterator.
PyObject* next_awaitable(PyObject* asynchronous) {
    PyTypeObject* type = Py_TYPE(asynchronous);
    if (type->tp_as_async == nullptr || type->tp_as_async->am_anext == nullptr) {
        PyErr_Format(PyExc_TypeError, "'%.100s' object is no asynchronous iterator any more", type->tp_name);
        return nullptr;
    }
    return type->tp_as_async->am_anext(asynchronous);
}

PyObject* iterator_next(PyObject* self) {
    core::Thread* thread = core::Thread::running();
    if (thread == nullptr || !check_portal(*thread)) {
        return nullptr;
    }
    Held asynchronous(*thread, Reference::borrow(of(self).asynchronous));
    Held awaitable(*thread, Reference::steal(next_awaitable(asynchronous.get())));
    PyObject* value = awaitable ? await(*thread, awaitable.get(), {}) : nullptr;
    if (value == nullptr && PyErr_ExceptionMatches(PyExc_StopAsyncIteration)) {
        PyErr_Clear();  // which leaves what means StopIteration
    }
    return value;
}

int iterator_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(of(self).asynchronous);
    return 0;
}

void iterator_deallocate(PyObject* self) {
    PyObject_GC_UnTrack(self);
    Py_CLEAR(of(self).asynchronous);
    PyTypeObject* type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("An iterator that awaits the values of an asynchronous one: the result of iter_().")},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(iterator_next)},
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
    auto* self = PyObject_GC_New(Iterator, state.aio.iterator_type);
    if (self != nullptr) {
        self->asynchronous = asynchronous.release();
        PyObject_GC_Track(self);
    }
    return reinterpret_cast<PyObject*>(self);
}

PyTypeObject* make_iterator_type() noexcept { return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec)); }

}  // namespace aio
