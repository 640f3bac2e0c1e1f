// CPython 3.11 to 3.15: the garbage collector.

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

// Disables the collector while in scope, up to 3.11. There an allocation may run the collector, and with it destructors
// that use the very thing that is being allocated. Later versions run it only between two instructions of Python code.
class CollectorPaused {
public:
    CollectorPaused(const CollectorPaused&) = delete;
    CollectorPaused& operator=(const CollectorPaused&) = delete;
#if PY_VERSION_HEX < 0x030C0000
    CollectorPaused() noexcept : was_enabled_(PyGC_Disable()) {}
    ~CollectorPaused() {
        if (was_enabled_) {
            PyGC_Enable();
        }
    }

private:
    int was_enabled_;
#else
    CollectorPaused() noexcept {}
    ~CollectorPaused() {}
#endif
};

// True if no other thread of the interpreter runs Python code while tp_traverse is called. Without a GIL, functions
// like gc.get_referents() call it while other threads run.
#ifdef Py_GIL_DISABLED
inline constexpr bool stops_others_to_traverse = false;
#else
inline constexpr bool stops_others_to_traverse = true;
#endif

// CPython finalizes an object once: before the collector clears what the object refers to, or when the last reference
// to an instance of a Python class is dropped.
#if PY_VERSION_HEX >= 0x030D0000

inline bool was_finalized(PyObject* object) noexcept { return _PyGC_FINALIZED(object); }

// Has `object` finalized again when it becomes garbage.
inline void expect_finalizer(PyObject* object) noexcept { _PyGC_CLEAR_FINALIZED(object); }

#else

// The collector keeps two words in front of the object; the flag is in the second one. They are accessed directly
// because up to 3.12 the collector's header clashes with a public one.
inline std::uintptr_t& collector_flags(PyObject* object) noexcept {
    return reinterpret_cast<std::uintptr_t*>(object)[-1];
}
inline constexpr std::uintptr_t finalized_flag = 1;

inline bool was_finalized(PyObject* object) noexcept { return (collector_flags(object) & finalized_flag) != 0; }
inline void expect_finalizer(PyObject* object) noexcept { collector_flags(object) &= ~finalized_flag; }

#endif

}  // namespace interpreter
