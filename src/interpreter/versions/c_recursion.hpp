// CPython 3.12 and 3.13: how many C calls may nest on a stack of a given size.
//
// These versions count nested C calls against a constant that suits a stack of 8 MiB. A smaller stack gets a share of
// it.

#pragma once

#include <algorithm>
#include <cstddef>

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// The constant of CPython 3.13 on x86-64.
#ifdef _Py_ADDRESS_SANITIZER
inline constexpr std::ptrdiff_t c_calls_on_8_mib = 4000;
#else
inline constexpr std::ptrdiff_t c_calls_on_8_mib = 10000;
#endif
inline constexpr std::ptrdiff_t c_stack_bytes_a_call = (std::ptrdiff_t{8} << 20) / c_calls_on_8_mib;

// The constant of the running interpreter, which differs between patch releases of a version. Set at import
// (prepare.hpp).
inline int interpreter_c_recursion_limit = 1000;

inline int c_recursion_limit(std::ptrdiff_t stack_bytes) noexcept {
    std::ptrdiff_t share = stack_bytes / c_stack_bytes_a_call;
    return static_cast<int>(std::min<std::ptrdiff_t>(interpreter_c_recursion_limit, share));
}

}  // namespace interpreter
