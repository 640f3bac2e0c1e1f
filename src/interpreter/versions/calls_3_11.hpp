// CPython 3.11 and 3.12: the calls in progress on a thread state, and what belongs to the C stack.
//
// The innermost frame is found through `cframe`, a small record on the C stack of the innermost evaluation loop. So a
// greenlet begins with a record of its own. On 3.11 the record also says whether the thread is being traced. That is a
// fact about the thread, so a switch carries it across.

#pragma once

#include <utility>

#include "interpreter/versions/c_recursion.hpp"
#include "interpreter/versions/cpython.hpp"

namespace interpreter {

constexpr std::size_t least_stack_bytes() noexcept { return 0; }

// Counts that are seldom other than zero. A greenlet takes them along when it suspends, and brings them back when it
// resumes, so a switch between greenlets that have none stores nothing here.
struct Nesting {
    int trash;     // container deallocations in progress
    int headroom;  // 3.11: exceptions being made; a recursion error meanwhile ends the process

    // Saves the counts. True if any of them was not zero.
    bool save(PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
        if (ts->trash.delete_nesting == 0) [[likely]] {
            return false;
        }
        trash = std::exchange(ts->trash.delete_nesting, 0);
#else
        if ((ts->trash_delete_nesting | ts->recursion_headroom) == 0) [[likely]] {
            return false;
        }
        asm volatile("" ::: "memory");  // reads them again, because a switch has no register to keep them in
        trash = std::exchange(ts->trash_delete_nesting, 0);
        headroom = std::exchange(ts->recursion_headroom, 0);
#endif
        return true;
    }

    void load(PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
        ts->trash.delete_nesting = std::exchange(trash, 0);
#else
        ts->trash_delete_nesting = std::exchange(trash, 0);
        ts->recursion_headroom = std::exchange(headroom, 0);
#endif
    }
};

struct Calls {
    _PyCFrame* cframe;
    int depth;  // Python calls in progress; on 3.11 C calls too
#if PY_VERSION_HEX >= 0x030C0000
    int c_remaining;  // C calls that may still nest
#endif

    static int depth_of(PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
        return ts->py_recursion_limit - ts->py_recursion_remaining;
#else
        return ts->recursion_limit - ts->recursion_remaining;
#endif
    }

    void save(PyThreadState* ts) noexcept {
        cframe = ts->cframe;
        depth = depth_of(ts);
#if PY_VERSION_HEX >= 0x030C0000
        c_remaining = ts->c_recursion_remaining;
#endif
    }

    void load(PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
        ts->py_recursion_remaining = ts->py_recursion_limit - depth;
        ts->c_recursion_remaining = c_remaining;
#else
        cframe->use_tracing = ts->cframe->use_tracing;
        ts->recursion_remaining = ts->recursion_limit - depth;
#endif
        ts->cframe = cframe;
    }

    _PyInterpreterFrame* innermost_frame() const noexcept { return cframe->current_frame; }

    static _PyInterpreterFrame* running_frame(PyThreadState* ts) noexcept { return ts->cframe->current_frame; }
    static void set_running_frame(PyThreadState* ts, _PyInterpreterFrame* frame) noexcept {
        ts->cframe->current_frame = frame;
    }

    // Calls `function` while `frame` is the thread state's innermost frame.
    template <class Function>
    static auto with_innermost_frame(PyThreadState* ts, _PyInterpreterFrame* frame, Function function) {
        _PyCFrame* outer = ts->cframe;
        _PyCFrame borrowed = *outer;
        borrowed.current_frame = frame;
        ts->cframe = &borrowed;
        auto result = function();
        ts->cframe = outer;
        return result;
    }
};

// What belongs to a greenlet's C stack.
struct CStack {
    Nesting nesting;
    _PyCFrame first;  // the record that the greenlet begins with

    bool save(PyThreadState* ts) noexcept { return nesting.save(ts); }
    void load_occasional(PyThreadState* ts) noexcept { nesting.load(ts); }
    void load(PyThreadState*) noexcept {}
    void abandon() noexcept {}
};

// Sets what the unused stack [low, base) begins with.
inline void begin_calls(PyThreadState* ts, Calls& calls, CStack& c_stack, const std::byte* low,
                        const std::byte* base) noexcept {
    c_stack.nesting = {};
    c_stack.first = _PyCFrame{};
    c_stack.first.previous = &ts->root_cframe;
    calls.cframe = &c_stack.first;
    calls.depth = 0;
#if PY_VERSION_HEX >= 0x030C0000
    calls.c_remaining = c_recursion_limit(base - low);
#else
    (void)low, (void)base;
#endif
}

// How much C stack the interpreter believes there is. Exchanged when a greenlet calls a function on another stack.
struct StackLimit {
#if PY_VERSION_HEX >= 0x030C0000
    int c_remaining;

    static StackLimit of(const Calls& calls, const CStack&) noexcept { return {calls.c_remaining}; }
    static StackLimit exchange(PyThreadState* ts, StackLimit limit) noexcept {
        return {std::exchange(ts->c_recursion_remaining, limit.c_remaining)};
    }
#else
    static StackLimit of(const Calls&, const CStack&) noexcept { return {}; }
    static StackLimit exchange(PyThreadState*, StackLimit) noexcept { return {}; }
#endif
};

// The postponed deallocations belong to the thread, and whichever greenlet finishes one does the others. A greenlet
// leaves none behind.
constexpr bool has_postponed_deallocations(PyThreadState*) noexcept { return false; }
inline void do_postponed_deallocations(PyThreadState*) noexcept {}

}  // namespace interpreter
