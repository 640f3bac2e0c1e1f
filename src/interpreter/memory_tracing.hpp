// CPython 3.11 to 3.15: tracemalloc, for memory that does not come from CPython's allocators.

#pragma once

#include <cstddef>
#include <cstdint>

#include "interpreter/versions/cpython.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#if PY_VERSION_HEX >= 0x030D0000
#include <internal/pycore_runtime.h>
#elif PY_VERSION_HEX < 0x030C0000
#include <internal/pycore_pymem.h>
#endif
#pragma GCC diagnostic pop

namespace interpreter {

namespace tracemalloc {

// The header of some versions declares them for C only.
extern "C" {
PyAPI_FUNC(int) PyTraceMalloc_Track(unsigned domain, std::uintptr_t begin, std::size_t bytes);
PyAPI_FUNC(int) PyTraceMalloc_Untrack(unsigned domain, std::uintptr_t begin);
}

}  // namespace tracemalloc

// True after tracemalloc.start(). Always true on 3.12, whose header C++ can't read: the functions below do nothing then
// if tracemalloc has not started.
inline bool traces_memory() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return _PyRuntime.tracemalloc.config.tracing != 0;
#elif PY_VERSION_HEX >= 0x030C0000
    return true;
#else
    return _Py_tracemalloc_config.tracing != 0;
#endif
}

// Tells tracemalloc that the running Python code has allocated memory. If there is no room for that, it is not told.
[[gnu::cold, gnu::noinline]] inline void trace_memory(unsigned domain, const void* begin, std::size_t bytes) noexcept {
    tracemalloc::PyTraceMalloc_Track(domain, reinterpret_cast<std::uintptr_t>(begin), bytes);
}

// Tells it that the memory is freed. It need not know the memory.
[[gnu::cold, gnu::noinline]] inline void untrace_memory(unsigned domain, const void* begin) noexcept {
    tracemalloc::PyTraceMalloc_Untrack(domain, reinterpret_cast<std::uintptr_t>(begin));
}

}  // namespace interpreter
