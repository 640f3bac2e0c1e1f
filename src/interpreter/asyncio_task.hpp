// CPython 3.14 and 3.15: the asyncio task that runs in a thread is in the thread state. Earlier versions have it in a
// dictionary.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

inline constexpr bool has_eager_asyncio_tasks = PY_VERSION_HEX >= 0x030C0000;

#if PY_VERSION_HEX >= 0x030E0000
inline constexpr bool knows_asyncio_task = true;

// The running task: borrowed, or nullptr.
inline PyObject* asyncio_task(PyThreadState* ts) noexcept {
    return reinterpret_cast<_PyThreadStateImpl*>(ts)->asyncio_running_task;
}
#else
inline constexpr bool knows_asyncio_task = false;

inline PyObject* asyncio_task(PyThreadState*) noexcept { return nullptr; }
#endif

// True if the object is one of the first few values of a dictionary.
inline bool is_among_first_values([[maybe_unused]] PyObject* dictionary, [[maybe_unused]] const void* object) noexcept {
#ifndef Py_GIL_DISABLED  // without a GIL the dictionary may change meanwhile
    constexpr int few = 4;
    Py_ssize_t position = 0;
    PyObject* value;
    for (int i = 0; i < few && PyDict_Next(dictionary, &position, nullptr, &value); ++i) {
        if (value == object) {
            return true;
        }
    }
#endif
    return false;
}

}  // namespace interpreter
