// Helpers for defining what Python code sees: methods, types and namespaces.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace python {

// A function of any calling convention as CPython's tables of methods take it. The flags beside it say which one it is.
template <class Function>
PyCFunction as_method(Function function) noexcept {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

// A new class, as a new reference, or nullptr with an exception.
inline PyTypeObject* make_type(PyType_Spec& spec) noexcept {
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

// Adds a module object with these functions to `module`, under `name`. Their documentation says that they are of
// `real_name`. A new reference to the object, or nullptr with an exception.
PyObject* add_namespace(PyObject* module, const char* name, const char* real_name, PyMethodDef* functions) noexcept;

}  // namespace python
