#include "coroutines/class.hpp"

#include <cstddef>

#include "core/reference.hpp"
#include "coroutines/attributes.hpp"
#include "coroutines/methods.hpp"
#include "coroutines/object.hpp"
#include "interpreter/pending_exception.hpp"
#include "python/define.hpp"

#include <structmember.h>  // after Python.h

namespace coroutines {

using core::Coroutine;
using core::Reference;
using State = core::Coroutine::State;

namespace {

int traverse(PyObject* self, visitproc visit, void* arg) {
    Object& object = of(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(object.function);
    for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) {
        Py_VISIT(object.arguments[i]);
    }
    return object.coroutine.traverse(visit, arg);
}

int clear(PyObject* self) {
    Object& object = of(self);
    if (object.coroutine.state != State::running) {
        drop_arguments(object);
        object.coroutine.state = State::finished;
        object.coroutine.unref();
    }
    return 0;
}

void finalize(PyObject* self) {
    Coroutine& coroutine = of(self).coroutine;
    if (coroutine.state == State::unstarted && coroutine.kind->is_awaited_once) {
        interpreter::PendingException in_flight;
        Reference name = Reference::steal(get_qualified_name(self, nullptr));
        if (!name || PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "%s '%S' was never awaited", coroutine.kind->name,
                                      name.get()) < 0) {
            PyErr_WriteUnraisable(self);
        }
    }
    core::finalize(coroutine, self);
}

// Runs the rest of the body. False if that has made a new reference to the object.
bool finish(PyObject* self) {
    PyObject_GC_Track(self);
    if (of(self).coroutine.state != State::finished && PyObject_CallFinalizerFromDealloc(self) < 0) {
        return false;
    }
    PyObject_GC_UnTrack(self);
    return true;
}

void release(PyObject* self) {
    Object& object = of(self);
    if (object.weak_references != nullptr) {
        PyObject_ClearWeakRefs(self);
    }
    drop_arguments(object);
    object.coroutine.unref();
    Py_CLEAR(object.function);
    Py_CLEAR(object.name);
    Py_CLEAR(object.qualified_name);
    python::free_instance(self);
}

// The trashcan keeps a long chain of objects, each an argument of the next one, from being released recursively.
void deallocate(PyObject* self) {
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, deallocate);
    if (finish(self)) {
        release(self);
    }
    Py_TRASHCAN_END;
}

PyObject* repr(PyObject* self) {
    Reference name = Reference::steal(get_qualified_name(self, nullptr));
    const char* kind = of(self).coroutine.kind->name;
    return name ? PyUnicode_FromFormat("<%s object %S at %p>", kind, name.get(), self) : nullptr;
}

PyMemberDef offsets[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Object, weak_references), READONLY, nullptr},
    {},
};

}  // namespace

PyTypeObject* make_type(const Class& description) noexcept {
    PyType_Slot slots[] = {
        {Py_tp_doc, const_cast<char*>(description.documentation)},
        {Py_tp_methods, description.methods},
        {Py_tp_getset, description.attributes},
        {Py_tp_members, offsets},
        {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
        {Py_tp_iternext, reinterpret_cast<void*>(next)},
        {Py_am_send, reinterpret_cast<void*>(am_send)},
        {Py_tp_repr, reinterpret_cast<void*>(repr)},
        {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
        {Py_tp_clear, reinterpret_cast<void*>(clear)},
        {Py_tp_finalize, reinterpret_cast<void*>(finalize)},
        {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
        {description.am_await != nullptr ? Py_am_await : 0, reinterpret_cast<void*>(description.am_await)},
        {0, nullptr},
    };
    PyType_Spec spec{
        description.name,
        offsetof(Object, arguments),
        sizeof(PyObject*),
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
        slots,
    };
    return python::make_type(spec);
}

}  // namespace coroutines
