// Helpers for defining what Python code sees: methods, types and namespaces.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace python {

// A function of any calling convention, cast for CPython's tables of methods. The flags beside it name the convention.
template <class Function>
PyCFunction as_method(Function function) noexcept {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

// A new class, as a new reference, or nullptr with an exception.
inline PyTypeObject* make_type(PyType_Spec& spec) noexcept {
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

// Ends a deallocator: frees an instance of a class that make_type() made, and its reference to the class.
inline void free_instance(PyObject* self) noexcept {
    PyTypeObject* type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

// Adds a module object with these functions to `module`, under `name`. `real_name` is the module that the functions
// name as theirs. A new reference to the object, or nullptr with an exception.
PyObject* add_namespace(PyObject* module, const char* name, const char* real_name, PyMethodDef* functions) noexcept;

}  // namespace python
