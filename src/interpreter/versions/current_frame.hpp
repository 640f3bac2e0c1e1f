// CPython 3.13 to 3.15: the fields of the thread state that calls_3_13.hpp and calls_3_14.hpp share: the innermost
// frame, and postponed deallocations.

#pragma once

#include <utility>

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// Fields of the thread state that are seldom set. A greenlet takes them along when it suspends, and brings them back
// when it resumes, so a switch between greenlets that have none stores nothing here.
//
// From 3.14 on CPython frees a machine-code trace when nothing refers to it and no thread runs it. A suspended greenlet
// continues it later, so meanwhile it owns a reference.
struct Occasional {
    PyObject* delete_later;  // deallocations postponed until the stack is less deep
    PyObject* executor;      // the running machine-code trace, if any
#if PY_VERSION_HEX >= 0x030F0000
    _PyExitData* jit_exit;  // where the trace returned to the interpreter
#endif

    // Saves the fields. True if any of them was set.
    bool save_occasional(PyThreadState* ts) noexcept {
        if (!has_any(*ts)) [[likely]] {
            return false;
        }
        move(*ts, *this);
        if constexpr (counts_executor) {
            Py_XINCREF(executor);
        }
        return true;
    }
    void load_occasional(PyThreadState* ts) noexcept {
        move(*this, *ts);
        if constexpr (counts_executor) {
            Py_XDECREF(executor_of(*ts));  // frees nothing, because a thread runs it now
        }
    }

    // For a greenlet that will never run again.
    void abandon() noexcept {
        if constexpr (counts_executor) {
            Py_CLEAR(executor);
        }
    }

private:
    static constexpr bool counts_executor = PY_VERSION_HEX >= 0x030E0000;

    static PyObject*& executor_of(Occasional& saved) noexcept { return saved.executor; }
    static PyObject*& executor_of(PyThreadState& ts) noexcept {
#if PY_VERSION_HEX >= 0x030E0000
        return ts.current_executor;
#else
        return ts.previous_executor;
#endif
    }

    static bool has_any(PyThreadState& ts) noexcept {
        // One test instead of one for each.
        auto any = reinterpret_cast<std::uintptr_t>(ts.delete_later) |
                   reinterpret_cast<std::uintptr_t>(executor_of(ts));
#if PY_VERSION_HEX >= 0x030F0000
        any |= reinterpret_cast<std::uintptr_t>(ts.jit_exit);
#endif
        return any != 0;
    }

    template <class From, class To>
    static void move(From& from, To& to) noexcept {
        asm volatile("" ::: "memory");  // reads them again, because a switch has no register to keep them in
        to.delete_later = std::exchange(from.delete_later, nullptr);
        executor_of(to) = std::exchange(executor_of(from), nullptr);
#if PY_VERSION_HEX >= 0x030F0000
        to.jit_exit = std::exchange(from.jit_exit, nullptr);
#endif
    }
};

// The part of Calls that these versions share.
struct CurrentFrame {
    _PyInterpreterFrame* frame;

    _PyInterpreterFrame* innermost_frame() const noexcept { return frame; }

    static _PyInterpreterFrame* running_frame(PyThreadState* ts) noexcept { return ts->current_frame; }
    static void set_running_frame(PyThreadState* ts, _PyInterpreterFrame* frame) noexcept { ts->current_frame = frame; }

    // Python calls in progress.
    static int depth_of(PyThreadState* ts) noexcept { return ts->py_recursion_limit - ts->py_recursion_remaining; }

    // Calls `function` while `frame` is the thread state's innermost frame.
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

// Deallocating another container would do these too, but on a small stack that one is postponed as well.
inline void do_postponed_deallocations(PyThreadState* ts) noexcept {
    if (has_postponed_deallocations(ts)) {
        _PyTrash_thread_destroy_chain(ts);
    }
}

}  // namespace interpreter
