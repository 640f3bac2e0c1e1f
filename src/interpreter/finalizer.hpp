// Objects that CPython has finalized already.
//
// It does so once for each object: before the garbage collector clears what the object refers to, or when the last reference to an
// instance of a Python class goes.

#pragma once

#include "interpreter/versions/cpython.hpp"

#if PY_VERSION_HEX >= 0x030D0000
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <internal/pycore_gc.h>
#pragma GCC diagnostic pop
#endif

namespace interpreter {

#if PY_VERSION_HEX >= 0x030D0000

// Has the collector called the finalizer of `object`?
inline bool was_finalized(PyObject* object) noexcept { return _PyGC_FINALIZED(object); }

// Has the finalizer of `object` called again when it becomes garbage.
inline void expect_finalizer(PyObject* object) noexcept { _PyGC_CLEAR_FINALIZED(object); }

#else

// The collector keeps two words before the object, and the flag in the second. Up to 3.12 its header clashes with a public one.
inline std::uintptr_t& collector_flags(PyObject* object) noexcept { return reinterpret_cast<std::uintptr_t*>(object)[-1]; }
inline constexpr std::uintptr_t finalized_flag = 1;

inline bool was_finalized(PyObject* object) noexcept { return (collector_flags(object) & finalized_flag) != 0; }
inline void expect_finalizer(PyObject* object) noexcept { collector_flags(object) &= ~finalized_flag; }

#endif

}  // namespace interpreter
