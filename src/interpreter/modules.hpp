// Modules that the program has imported, found without importing them.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// A new reference; nullptr, without an exception, if the module was not imported.
inline PyObject* imported_module(const char* name) noexcept {
    PyObject* text = PyUnicode_FromString(name);
    PyObject* module = text != nullptr ? PyImport_GetModule(text) : nullptr;
    Py_XDECREF(text);
    PyErr_Clear();
    return module;
}

// The threading.Thread of a thread, by its identifier: a new reference; nullptr, without an exception, if `threading` has none.
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
