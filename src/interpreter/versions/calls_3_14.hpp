// CPython 3.14 and 3.15: where a thread state keeps track of the calls in progress, and what belongs to the C stack.
//
// C recursion is no longer counted: the interpreter compares the address of its stack frame with the limits of the
// stack it thinks it runs on, so those limits are the running greenlet's.

#pragma once

#include <cstddef>
#include <cstring>

#include "interpreter/versions/cpython.hpp"
#include "interpreter/versions/current_frame.hpp"

namespace interpreter {

// Distances from the low end of a stack. Below the soft limit the interpreter raises RecursionError, below the hard
// one it gives up. On a small stack half of it at least stays usable. check_c_stack_limits() compares them with what
// CPython computes itself.
inline constexpr std::size_t c_stack_margin = _PyOS_STACK_MARGIN_BYTES;

// Smaller stacks than this are no use. Where less than two margins are left above the soft limit the interpreter puts off
// every deallocation of a container, and it needs four to make up for that while the stack is in use.
inline constexpr std::size_t least_stack_bytes = 10 * c_stack_margin;

// Where the C stack begins, and its limits, laid out as in the thread state. One of another stack has another soft limit.
struct Limits {
    std::uintptr_t top;
    std::uintptr_t soft;
    std::uintptr_t hard;

    static Limits of(PyThreadState* ts) noexcept {
        auto* impl = reinterpret_cast<_PyThreadStateImpl*>(ts);
        return {impl->c_stack_top, impl->c_stack_soft_limit, impl->c_stack_hard_limit};
    }

    // Those of the stack [low, base).
    static Limits of(const std::byte* low, const std::byte* base) noexcept {
        auto bottom = reinterpret_cast<std::uintptr_t>(low);
#ifdef _Py_THREAD_SANITIZER
        bottom += c_stack_margin;  // as CPython does for this tool
#endif
        return {reinterpret_cast<std::uintptr_t>(base), bottom + 2 * c_stack_margin, bottom + c_stack_margin};
    }

    void load(PyThreadState* ts) const noexcept {
        std::memcpy(&reinterpret_cast<_PyThreadStateImpl*>(ts)->c_stack_top, this, sizeof *this);
    }

    friend bool operator==(const Limits&, const Limits&) noexcept = default;
};

static_assert(offsetof(_PyThreadStateImpl, c_stack_soft_limit) ==
                  offsetof(_PyThreadStateImpl, c_stack_top) + offsetof(Limits, soft) &&
              offsetof(_PyThreadStateImpl, c_stack_hard_limit) ==
                  offsetof(_PyThreadStateImpl, c_stack_top) + offsetof(Limits, hard));

struct Calls : CurrentFrame {
    int depth;  // Python calls in progress

    void save(PyThreadState* ts) noexcept {
        frame = ts->current_frame;
        depth = depth_of(ts);
    }

    void load(PyThreadState* ts) noexcept {
        ts->current_frame = frame;
        ts->py_recursion_remaining = ts->py_recursion_limit - depth;
    }
};

// What belongs to a greenlet's C stack.
struct CStack {
    Limits limits;
    Occasional occasional;
#ifdef Py_GIL_DISABLED
    _PyCStackRef* refs;  // references held by C functions of this stack
#endif

    void save(PyThreadState* ts) noexcept {
        if (limits.soft != reinterpret_cast<_PyThreadStateImpl*>(ts)->c_stack_soft_limit) [[unlikely]] {
            limits = Limits::of(ts);
        }
        occasional.save(ts);
#ifdef Py_GIL_DISABLED
        refs = reinterpret_cast<_PyThreadStateImpl*>(ts)->c_stack_refs;
#endif
    }

    void load(PyThreadState* ts) noexcept {
        limits.load(ts);
        occasional.load(ts);
#ifdef Py_GIL_DISABLED
        reinterpret_cast<_PyThreadStateImpl*>(ts)->c_stack_refs = refs;
#endif
    }

    void abandon() noexcept { occasional.abandon(); }
};

// How much C stack the interpreter thinks there is. Exchanged when a greenlet goes on on another stack.
struct StackLimit {
    Limits limits;

    static StackLimit of(const Calls&, const CStack& c_stack) noexcept { return {c_stack.limits}; }
    static StackLimit exchange(PyThreadState* ts, StackLimit limit) noexcept {
        StackLimit before{Limits::of(ts)};
        limit.limits.load(ts);
        return before;
    }
};

// What the stack [low, base) begins with: nothing called yet.
inline void begin_calls(PyThreadState* ts, Calls& calls, CStack& c_stack, const std::byte* low, const std::byte* base) noexcept {
#if PY_VERSION_HEX >= 0x030F0000
    calls.frame = ts->base_frame;
#else
    (void)ts;
    calls.frame = nullptr;
#endif
    calls.depth = 0;
    c_stack = {};
    c_stack.limits = Limits::of(low, base);
}

}  // namespace interpreter
