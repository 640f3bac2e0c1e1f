// CPython 3.13 on: what all of calls_3_*.hpp share there. The thread state has the innermost frame, and the deallocations that
// were put off, in fields of its own.

#pragma once

#include "interpreter/cpython.hpp"

namespace interpreter {

// A part of Calls.
struct CurrentFrame {
    _PyInterpreterFrame* frame;

    _PyInterpreterFrame* innermost_frame() const noexcept { return frame; }

    // Calls `function` with the thread state's innermost frame replaced by `frame`.
    template <class Function>
    static auto with_innermost_frame(PyThreadState* ts, _PyInterpreterFrame* frame, Function function) {
        _PyInterpreterFrame* outer = ts->current_frame;
        ts->current_frame = frame;
        auto result = function();
        ts->current_frame = outer;
        return result;
    }
};

inline bool has_postponed_deallocations(PyThreadState* ts) noexcept { return ts->delete_later != nullptr; }

// Deallocating another container would do it too, but on a small stack that one is put off as well.
inline void do_postponed_deallocations(PyThreadState* ts) noexcept {
    if (has_postponed_deallocations(ts)) {
        _PyTrash_thread_destroy_chain(ts);
    }
}

}  // namespace interpreter
