// CPython 3.14 and 3.15: the calls in progress on a thread state, and what belongs to the C stack.
//
// C calls are no longer counted. The interpreter compares the address of its stack frame with the limits of the stack
// that it believes to run on, so a switch exchanges these limits.

#pragma once

#include <cstddef>
#include <cstring>

#include "interpreter/versions/cpython.hpp"
#include "interpreter/versions/current_frame.hpp"

namespace interpreter {

// The distance between a stack's low end, its hard limit and its soft limit. Below the soft limit the interpreter
// raises RecursionError, below the hard one it gives up.
inline constexpr std::size_t c_stack_margin = _PyOS_STACK_MARGIN_BYTES;

// The interpreter postpones every deallocation of a container where less than two margins are left above the soft
// limit. While the stack is in use, it does the postponed ones only where four are left.
constexpr std::size_t least_stack_bytes() noexcept { return 10 * c_stack_margin; }

// Where the C stack begins, and its limits, laid out as in the thread state. Different stacks have different soft
// limits. prepare() compares them with those that CPython computes.
struct Limits {
    std::uintptr_t top;
    std::uintptr_t soft;
    std::uintptr_t hard;

    static Limits of(PyThreadState* ts) noexcept {
        auto* impl = reinterpret_cast<_PyThreadStateImpl*>(ts);
        return {impl->c_stack_top, impl->c_stack_soft_limit, impl->c_stack_hard_limit};
    }

    // The limits of the stack [low, base).
    static Limits of(const std::byte* low, const std::byte* base) noexcept {
        auto bottom = reinterpret_cast<std::uintptr_t>(low);
#ifdef _Py_THREAD_SANITIZER
        bottom += c_stack_margin;  // as in CPython
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
struct CStack : Occasional {
    Limits limits;
#ifdef Py_GIL_DISABLED
    _PyCStackRef* refs;  // references that C functions on this stack hold
#endif

    // Saves the fields. True if an occasional one was set.
    bool save(PyThreadState* ts) noexcept {
        if (limits.soft != reinterpret_cast<_PyThreadStateImpl*>(ts)->c_stack_soft_limit) [[unlikely]] {
            limits = Limits::of(ts);
        }
#ifdef Py_GIL_DISABLED
        refs = reinterpret_cast<_PyThreadStateImpl*>(ts)->c_stack_refs;
#endif
        return save_occasional(ts);
    }

    void load(PyThreadState* ts) noexcept {
        limits.load(ts);
#ifdef Py_GIL_DISABLED
        reinterpret_cast<_PyThreadStateImpl*>(ts)->c_stack_refs = refs;
#endif
    }
};

// How much C stack the interpreter believes there is. Exchanged when a greenlet calls a function on another stack.
struct StackLimit {
    Limits limits;

    static StackLimit of(const Calls&, const CStack& c_stack) noexcept { return {c_stack.limits}; }
    static StackLimit exchange(PyThreadState* ts, StackLimit limit) noexcept {
        StackLimit before{Limits::of(ts)};
        limit.limits.load(ts);
        return before;
    }
};

// Sets what the unused stack [low, base) begins with.
inline void begin_calls(PyThreadState* ts, Calls& calls, CStack& c_stack, const std::byte* low,
                        const std::byte* base) noexcept {
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
