// CPython 3.14 and 3.15: where a thread state keeps track of the calls in progress.
//
// C recursion is no longer counted: the interpreter compares the address of its stack frame with the limits of the
// stack it thinks it runs on, so those limits are the running greenlet's.

#pragma once

#include <cstddef>
#include <cstring>

#include "interpreter/cpython.hpp"
#include "interpreter/current_frame.hpp"

namespace interpreter {

// Distances from the low end of a stack. Below the soft limit the interpreter raises RecursionError, below the hard
// one it gives up. On a small stack half of it at least stays usable. check_c_stack_limits() compares them with what
// CPython computes itself.
inline constexpr std::size_t c_stack_margin = _PyOS_STACK_MARGIN_BYTES;

// Smaller slots than this are no use. Where less than two margins are left above the soft limit the interpreter puts off
// every deallocation of a container, and it needs four to make up for that while the stack is in use.
inline constexpr std::size_t least_slot_bytes = 12 * c_stack_margin;

// Where the C stack begins, and its limits, laid out as in the thread state. One of another stack has another soft limit.
struct CStack {
    std::uintptr_t top;
    std::uintptr_t soft_limit;
    std::uintptr_t hard_limit;
};

static_assert(offsetof(_PyThreadStateImpl, c_stack_soft_limit) ==
                  offsetof(_PyThreadStateImpl, c_stack_top) + offsetof(CStack, soft_limit) &&
              offsetof(_PyThreadStateImpl, c_stack_hard_limit) ==
                  offsetof(_PyThreadStateImpl, c_stack_top) + offsetof(CStack, hard_limit));

struct Calls : CurrentFrame {
    int depth;  // Python calls in progress
    CStack c_stack;
#ifdef Py_GIL_DISABLED
    _PyCStackRef* c_stack_refs;  // references held by C functions of this stack
#endif

    void save(PyThreadState* ts) noexcept {
        auto* impl = reinterpret_cast<_PyThreadStateImpl*>(ts);
        frame = ts->current_frame;
        depth = depth_of(ts);
        if (c_stack.soft_limit != impl->c_stack_soft_limit) [[unlikely]] {
            c_stack = {impl->c_stack_top, impl->c_stack_soft_limit, impl->c_stack_hard_limit};
        }
        occasional.save(ts);
#ifdef Py_GIL_DISABLED
        c_stack_refs = impl->c_stack_refs;
#endif
    }

    void load(PyThreadState* ts) noexcept {
        auto* impl = reinterpret_cast<_PyThreadStateImpl*>(ts);
        ts->current_frame = frame;
        ts->py_recursion_remaining = ts->py_recursion_limit - depth;
        std::memcpy(&impl->c_stack_top, &c_stack, sizeof c_stack);
        occasional.load(ts);
#ifdef Py_GIL_DISABLED
        impl->c_stack_refs = c_stack_refs;
#endif
    }

    // What a stack begins with: nothing called yet.
    void begin(PyThreadState* ts, const std::byte* low, const std::byte* base) noexcept {
#if PY_VERSION_HEX >= 0x030F0000
        frame = ts->base_frame;
#else
        (void)ts;
        frame = nullptr;
#endif
        depth = 0;
        limits(low, base);
        occasional = {};
#ifdef Py_GIL_DISABLED
        c_stack_refs = nullptr;
#endif
    }

    void limits(const std::byte* low, const std::byte* base) noexcept {
        c_stack.top = reinterpret_cast<std::uintptr_t>(base);
        auto bottom = reinterpret_cast<std::uintptr_t>(low);
#ifdef _Py_THREAD_SANITIZER
        bottom += c_stack_margin;  // as CPython does for this tool
#endif
        c_stack.hard_limit = bottom + c_stack_margin;
        c_stack.soft_limit = bottom + 2 * c_stack_margin;
    }
};

}  // namespace interpreter
