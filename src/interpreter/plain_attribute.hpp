// CPython 3.11 to 3.15: attributes that can be read without running Python code.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// The value of a slot, or of an attribute that a C extension defines, whose getter is trusted to run no Python code: a
// new reference. nullptr without an exception if the object's class has no such attribute, or one of another kind.
inline PyObject* plain_attribute(PyObject* object, const char* name) noexcept {
    PyObject* text = PyUnicode_InternFromString(name);
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* found = text != nullptr ? _PyType_LookupRef(Py_TYPE(object), text) : nullptr;
#else
    PyObject* found = text != nullptr ? Py_XNewRef(_PyType_Lookup(Py_TYPE(object), text)) : nullptr;
#endif
    bool is_plain = found != nullptr &&
                    (Py_IS_TYPE(found, &PyMemberDescr_Type) || Py_IS_TYPE(found, &PyGetSetDescr_Type));
    PyObject* value = is_plain
                          ? Py_TYPE(found)->tp_descr_get(found, object, reinterpret_cast<PyObject*>(Py_TYPE(object)))
                          : nullptr;
    Py_XDECREF(found);
    Py_XDECREF(text);
    PyErr_Clear();
    return value;
}

}  // namespace interpreter
