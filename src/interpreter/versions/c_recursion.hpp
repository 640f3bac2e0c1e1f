// CPython 3.12 and 3.13: how many C calls may nest on a stack of a given size.
//
// These versions count nested C calls against a constant that suits a stack of 8 MiB. A smaller stack gets a share of
// it. The constant differs between processors, and between patch releases of a version.

#pragma once

#include <algorithm>
#include <cstddef>

#include "interpreter/versions/cpython.hpp"
#include "stackful/system/system.hpp"

namespace interpreter {

// The running interpreter's constant. Set at import (prepare.hpp).
inline int interpreter_c_recursion_limit = 1000;

// How many C calls fit into 8 MiB. On x86-64 and AArch64 that is the constant of 3.13, because some releases have a
// smaller one without need.
#if defined(_WIN32)  // the constant is for the stack that the executable asks for
inline std::ptrdiff_t c_calls_on_8_mib() noexcept {
    auto stack = static_cast<std::ptrdiff_t>(stackful::system::stack_limit());
    return stack > 0 ? interpreter_c_recursion_limit * (std::ptrdiff_t{8} << 20) / stack
                     : interpreter_c_recursion_limit;
}
#elif !defined(__x86_64__) && !defined(__aarch64__)
inline std::ptrdiff_t c_calls_on_8_mib() noexcept { return interpreter_c_recursion_limit; }
#elif defined(_Py_ADDRESS_SANITIZER)
constexpr std::ptrdiff_t c_calls_on_8_mib() noexcept { return 4000; }
#else
constexpr std::ptrdiff_t c_calls_on_8_mib() noexcept { return 10000; }
#endif

inline int c_recursion_limit(std::ptrdiff_t stack_bytes) noexcept {
    std::ptrdiff_t share = stack_bytes / ((std::ptrdiff_t{8} << 20) / c_calls_on_8_mib());
    return static_cast<int>(std::min<std::ptrdiff_t>(interpreter_c_recursion_limit, share));
}

}  // namespace interpreter
