// CPython 3.11 to 3.15: modules that the program has imported.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// A new reference to a module. nullptr without an exception if it was not imported.
inline PyObject* imported_module(const char* name) noexcept {
    PyObject* text = PyUnicode_FromString(name);
    PyObject* module = text != nullptr ? PyImport_GetModule(text) : nullptr;
    Py_XDECREF(text);
    PyErr_Clear();
    return module;
}

// A new reference to the threading.Thread of the thread with this identifier. nullptr without an exception if
// `threading` has none.
inline PyObject* thread_object(unsigned long identifier) noexcept {
    PyObject* module = imported_module("threading");
    PyObject* table = module != nullptr ? PyObject_GetAttrString(module, "_active") : nullptr;
    PyObject* key = table != nullptr && PyDict_CheckExact(table) ? PyLong_FromUnsignedLong(identifier) : nullptr;
    PyObject* thread = key != nullptr ? Py_XNewRef(PyDict_GetItemWithError(table, key)) : nullptr;
    Py_XDECREF(key);
    Py_XDECREF(table);
    Py_XDECREF(module);
    PyErr_Clear();
    return thread;
}

}  // namespace interpreter
