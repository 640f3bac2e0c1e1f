// CPython 3.13 on: what all of calls_3_*.hpp share there. The thread state has the innermost frame, and the deallocations that
// were put off, in fields of its own.

#pragma once

#include <utility>

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// What a thread state holds only now and then. A greenlet takes it along when it suspends, and brings it back: a switch from
// one that has none of it to another stores nothing here.
//
// From 3.14 on CPython frees a machine-code trace when nothing refers to it and no thread runs it. A suspended greenlet goes on
// with it later, so it has a reference of its own meanwhile.
struct Occasional {
    PyObject* delete_later;  // deallocations put off until the stack is less deep
    PyObject* executor;      // the machine-code trace that runs, if any
#if PY_VERSION_HEX >= 0x030F0000
    _PyExitData* jit_exit;   // where it left to the interpreter
#endif

    void save(PyThreadState* ts) noexcept {
        if (move(*ts, *this)) [[unlikely]] {
            if constexpr (counts_executor) {
                Py_XINCREF(executor);
            }
        }
    }
    void load(PyThreadState* ts) noexcept {
        if (move(*this, *ts)) [[unlikely]] {
            if constexpr (counts_executor) {
                Py_XDECREF(executor_of(*ts));  // runs no code; and now that a thread runs it, it stays
            }
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

    // Was there any of it?
    template <class From, class To>
    static bool move(From& from, To& to) noexcept {
        // One test, not one each.
        auto any = reinterpret_cast<std::uintptr_t>(from.delete_later) | reinterpret_cast<std::uintptr_t>(executor_of(from));
#if PY_VERSION_HEX >= 0x030F0000
        any |= reinterpret_cast<std::uintptr_t>(from.jit_exit);
#endif
        if (any != 0) [[unlikely]] {
            asm volatile("" ::: "memory");  // reads them again: a switch has no register to keep them in
            to.delete_later = std::exchange(from.delete_later, nullptr);
            executor_of(to) = std::exchange(executor_of(from), nullptr);
#if PY_VERSION_HEX >= 0x030F0000
            to.jit_exit = std::exchange(from.jit_exit, nullptr);
#endif
            return true;
        }
        return false;
    }
};

// A part of Calls.
struct CurrentFrame {
    _PyInterpreterFrame* frame;

    _PyInterpreterFrame* innermost_frame() const noexcept { return frame; }

    static _PyInterpreterFrame* running_frame(PyThreadState* ts) noexcept { return ts->current_frame; }
    static void set_running_frame(PyThreadState* ts, _PyInterpreterFrame* frame) noexcept { ts->current_frame = frame; }

    // Python calls in progress.
    static int depth_of(PyThreadState* ts) noexcept { return ts->py_recursion_limit - ts->py_recursion_remaining; }

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
