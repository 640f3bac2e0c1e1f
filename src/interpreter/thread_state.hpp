// CPython 3.11 to 3.15: the running thread state.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// The running thread state, or nullptr.
inline PyThreadState* current_thread_state() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

// True if `ts` is the running thread state. `ts` may be nullptr; otherwise its interpreter must share a GIL with the
// running one.
inline bool is_running(PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030C0000 && !defined(Py_GIL_DISABLED)
    // Of the thread states that share a GIL, one is active. Asking for the current one would take a look-up of
    // thread-local storage.
    return ts != nullptr && ts->_status.active;
#else
    return ts == current_thread_state();
#endif
}

// True if the interpreter is being shut down. Running Python code is no longer safe then.
inline bool is_finalizing() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

// Versions up to 3.12 count how deep deallocations of containers are nested. For tests.
inline constexpr bool counts_trash_nesting = PY_VERSION_HEX < 0x030D0000;

inline int trash_nesting([[maybe_unused]] PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return 0;
#elif PY_VERSION_HEX >= 0x030C0000
    return ts->trash.delete_nesting;
#else
    return ts->trash_delete_nesting;
#endif
}

}  // namespace interpreter
