// CPython 3.12 and 3.13: how many C calls may nest on a stack of a given size.
//
// Those versions count nested C calls against a constant that suits a stack of 8 MiB. A smaller stack gets a share.

#pragma once

#include <algorithm>
#include <cstddef>

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// What CPython 3.13 reckons with on x86-64: so many calls on 8 MiB.
#ifdef _Py_ADDRESS_SANITIZER
inline constexpr std::ptrdiff_t c_calls_on_8_mib = 4000;
#else
inline constexpr std::ptrdiff_t c_calls_on_8_mib = 10000;
#endif
inline constexpr std::ptrdiff_t c_stack_bytes_a_call = (std::ptrdiff_t{8} << 20) / c_calls_on_8_mib;

// The interpreter's own constant, as the running interpreter has it: it differs between patch releases of the same
// version. Set at import.
inline int interpreter_c_recursion_limit = 1000;

inline int c_recursion_limit(std::ptrdiff_t stack_bytes) noexcept {
    return static_cast<int>(std::min<std::ptrdiff_t>(interpreter_c_recursion_limit, stack_bytes / c_stack_bytes_a_call));
}

}  // namespace interpreter
