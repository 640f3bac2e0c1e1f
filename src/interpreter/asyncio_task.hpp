// The asyncio task that runs in a thread: from 3.14 on the thread state says.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

inline constexpr bool has_eager_asyncio_tasks = PY_VERSION_HEX >= 0x030C0000;

#if PY_VERSION_HEX >= 0x030E0000
inline constexpr bool knows_asyncio_task = true;

// Borrowed, or nullptr.
inline PyObject* asyncio_task(PyThreadState* ts) noexcept {
    return reinterpret_cast<_PyThreadStateImpl*>(ts)->asyncio_running_task;
}
#else
inline constexpr bool knows_asyncio_task = false;

inline PyObject* asyncio_task(PyThreadState*) noexcept { return nullptr; }
#endif

// Is it one of the first values of a dictionary?
inline bool is_among_first_values([[maybe_unused]] PyObject* dictionary, [[maybe_unused]] const void* object) noexcept {
#ifndef Py_GIL_DISABLED  // else the dictionary may change meanwhile
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
