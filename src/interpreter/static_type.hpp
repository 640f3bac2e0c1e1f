// CPython 3.11 to 3.15: a class from which static types of extension modules can derive.
//
// CPython lets a static type derive from static types only, and never frees one. That suits a class of the main
// interpreter, which other modules find in a table that is never freed either. The classes of other interpreters are
// freed with them.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// True if the running interpreter is the one that ends last.
inline bool is_main_interpreter() noexcept { return PyInterpreterState_Get() == PyInterpreterState_Main(); }

// Makes an object immortal, as CPython makes its static types. CPython 3.11 has no immortal objects; one more reference
// has the same effect.
inline void make_immortal(PyObject* object) noexcept {
#if PY_VERSION_HEX < 0x030c0000
    Py_INCREF(object);
#elif defined(Py_GIL_DISABLED)
    Py_SET_REFCNT(object, PY_SSIZE_T_MAX);
#elif PY_VERSION_HEX < 0x030e0000
    Py_SET_REFCNT(object, _Py_IMMORTAL_REFCNT);
#else
    Py_SET_REFCNT(object, _Py_IMMORTAL_INITIAL_REFCNT);
#endif
}

// Turns a new class, which has no instances or subclasses, into a static one: it lives permanently, and its instances
// do not refer to it.
inline void make_static(PyTypeObject* type) noexcept {
    PyObject_GC_UnTrack(type);
    type->tp_flags &= ~Py_TPFLAGS_HEAPTYPE;
    make_immortal(reinterpret_cast<PyObject*>(type));
}

}  // namespace interpreter
