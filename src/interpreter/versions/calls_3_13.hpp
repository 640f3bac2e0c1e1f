// CPython 3.13: the calls in progress on a thread state, and what belongs to the C stack.
//
// The innermost frame is in the thread state itself.

#pragma once

#include <utility>

#include "interpreter/versions/c_recursion.hpp"
#include "interpreter/versions/cpython.hpp"
#include "interpreter/versions/current_frame.hpp"

namespace interpreter {

// The interpreter postpones every deallocation of a container where fewer than 50 more C calls may nest. While the
// stack is in use, it does the postponed ones only where 100 more may nest.
inline std::size_t least_stack_bytes() noexcept {
    constexpr std::size_t least_calls = 195;
    return least_calls * ((std::size_t{8} << 20) / static_cast<std::size_t>(c_calls_on_8_mib()));
}

struct Calls : CurrentFrame {
    int depth;        // Python calls in progress
    int c_remaining;  // C calls that may still nest

    void save(PyThreadState* ts) noexcept {
        frame = ts->current_frame;
        depth = depth_of(ts);
        c_remaining = ts->c_recursion_remaining;
    }

    void load(PyThreadState* ts) noexcept {
        ts->current_frame = frame;
        ts->py_recursion_remaining = ts->py_recursion_limit - depth;
        ts->c_recursion_remaining = c_remaining;
    }
};

struct CStack : Occasional {
    bool save(PyThreadState* ts) noexcept { return save_occasional(ts); }
    void load(PyThreadState*) noexcept {}
};

// How much C stack the interpreter believes there is. Exchanged when a greenlet calls a function on another stack.
struct StackLimit {
    int c_remaining;

    static StackLimit of(const Calls& calls, const CStack&) noexcept { return {calls.c_remaining}; }
    static StackLimit exchange(PyThreadState* ts, StackLimit limit) noexcept {
        return {std::exchange(ts->c_recursion_remaining, limit.c_remaining)};
    }
};

// Sets what the unused stack [low, base) begins with.
inline void begin_calls(PyThreadState*, Calls& calls, CStack& c_stack, const std::byte* low,
                        const std::byte* base) noexcept {
    calls.frame = nullptr;
    calls.depth = 0;
    calls.c_remaining = c_recursion_limit(base - low);
    c_stack = {};
}

}  // namespace interpreter
