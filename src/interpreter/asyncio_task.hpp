// The asyncio task that runs in a thread: from 3.14 on the thread state says.

#pragma once

#include "interpreter/cpython.hpp"

namespace interpreter {

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

}  // namespace interpreter
