// CPython 3.12 on: a link, where the frames of one greenlet lead on to those of another, which waits for it.
//
//     frame of the body's function
//         | previous
//     frame without a function, CPython's own      where C code entered the interpreter
//         | previous
//     link
//         | previous
//     frame of the resumer, while the body runs for it; otherwise whatever the frames of a greenlet end with:
//     nothing, or a frame in the thread state (3.15)
//
// `f_back`, tracebacks and warnings skip frames without a function. The link is such a frame. CPython 3.11 has none of
// them, so there are no links.

#pragma once

#include "interpreter/versions/cpython.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <internal/pycore_frame.h>
#pragma GCC diagnostic pop

namespace interpreter {

inline constexpr bool links_frames = PY_VERSION_HEX >= 0x030C0000;

// What links show to the parts of CPython that take every frame for a function's: faulthandler of 3.12 and 3.13, which
// skips one frame without a function but not two in a row, and builtins that look at the innermost frame, whatever it
// is.
struct LinkLooks {
    PyObject* code;   // owned
    PyObject* frame;  // the frame object; owned

    // Sets an exception and returns false if memory ran out.
    bool make(PyThreadState* ts) noexcept;
    void clear() noexcept {
        Py_CLEAR(frame);
        Py_CLEAR(code);
    }
};

#if PY_VERSION_HEX >= 0x030C0000

class Link {
public:
    // `end` is what the frames of the greenlet end with.
    Link(const LinkLooks& looks, _PyInterpreterFrame* end) noexcept : end_(end) {
        auto* code = reinterpret_cast<PyCodeObject*>(looks.code);
        // The position of a function that is about to begin.
        auto* before_first = reinterpret_cast<_Py_CODEUNIT*>(code->co_code_adaptive) - 1;
#if PY_VERSION_HEX >= 0x030E0000
        frame_.f_executable.bits = reinterpret_cast<std::uintptr_t>(code) | 1;
        frame_.f_funcobj.bits = 1;
        frame_.instr_ptr = before_first;
        frame_.stackpointer = frame_.localsplus;
        frame_.owner = FRAME_OWNED_BY_INTERPRETER;
#elif PY_VERSION_HEX >= 0x030D0000
        frame_.f_executable = looks.code;
        frame_.instr_ptr = before_first;
        frame_.owner = FRAME_OWNED_BY_CSTACK;
#else
        frame_.f_code = code;
        frame_.prev_instr = before_first;
        frame_.owner = FRAME_OWNED_BY_CSTACK;
#endif
        frame_.frame_obj = reinterpret_cast<PyFrameObject*>(looks.frame);
        frame_.previous = end;
    }

    _PyInterpreterFrame* frame() noexcept { return &frame_; }
    _PyInterpreterFrame* end() const noexcept { return end_; }
    const _PyInterpreterFrame* frame() const noexcept { return &frame_; }
    static constexpr std::size_t place_of_frame() noexcept { return offsetof(Link, frame_); }

    _PyInterpreterFrame* resumer() const noexcept { return frame_.previous; }
    void lead_to(_PyInterpreterFrame* frame) noexcept { frame_.previous = frame; }
    void cut() noexcept { frame_.previous = end_; }

    // To be called when the thread state is about to be freed, and with it what the frames end with.
    void leave_thread_state() noexcept { frame_.previous = end_ = nullptr; }

private:
    _PyInterpreterFrame* end_;
    _PyInterpreterFrame frame_ = {};
};

#else

class Link {
public:
    Link(const LinkLooks&, _PyInterpreterFrame*) noexcept {}
    static constexpr std::size_t place_of_frame() noexcept { return 0; }
    static _PyInterpreterFrame* frame() noexcept { return nullptr; }
    static _PyInterpreterFrame* end() noexcept { return nullptr; }
    static void lead_to(_PyInterpreterFrame*) noexcept {}
    static void cut() noexcept {}
    static void leave_thread_state() noexcept {}
};

#endif

// True if the callable may be a builtin function like sys._getframe() or eval(). These take the innermost frame for
// that of the function that called them, whatever it is, and would see the link.
bool looks_at_its_caller(PyObject* callable) noexcept;

// Clears the `f_back` of the frame that the traceback begins with, if that leads to the resumer; the frame of a native
// generator has none either. To be called when the function of the running greenlet has raised. A frame object that
// outlives its function keeps its `f_back`, so whoever keeps the exception would otherwise keep the resumer's variables
// too.
void unlink_traceback(PyThreadState* ts, const Link& link) noexcept;

inline constexpr std::size_t size_of_link = links_frames ? sizeof(Link) : 0;

}  // namespace interpreter
