#include "coroutines/callable.hpp"

#include <cstddef>

#include "python/define.hpp"

#include <structmember.h>  // after Python.h

namespace coroutines {

namespace {

Callable& of(PyObject* self) noexcept { return *reinterpret_cast<Callable*>(self); }

}  // namespace

PyObject* reduce_to_name(PyObject* self, PyObject*) { return PyObject_GetAttrString(self, "__qualname__"); }

int traverse_callable(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(of(self).dict);
    return 0;
}

int clear_callable(PyObject* self) {
    Py_CLEAR(of(self).dict);
    return 0;
}

void deallocate_callable(PyObject* self) {
    PyObject_GC_UnTrack(self);
    if (of(self).weak_references != nullptr) {
        PyObject_ClearWeakRefs(self);
    }
    Py_CLEAR(of(self).dict);
    python::free_instance(self);
}

PyMethodDef callable_methods[] = {
    {"__reduce__", reduce_to_name, METH_NOARGS, nullptr},
    {},
};

PyMemberDef callable_offsets[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Callable, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Callable, weak_references), READONLY, nullptr},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Callable, vectorcall), READONLY, nullptr},
    {},
};

}  // namespace coroutines
