// Objects that CPython has finalized already.
//
// It does so once for each object: before the garbage collector clears what the object refers to, or when the last reference to an
// instance of a Python class goes.

#pragma once

#include "interpreter/cpython.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <internal/pycore_gc.h>
#pragma GCC diagnostic pop

namespace interpreter {

// Has the finalizer of `object` called again when it becomes garbage.
inline void expect_finalizer(PyObject* object) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    _PyGC_CLEAR_FINALIZED(object);
#else
    _Py_AS_GC(object)->_gc_prev &= ~static_cast<uintptr_t>(_PyGC_PREV_MASK_FINALIZED);
#endif
}

}  // namespace interpreter
