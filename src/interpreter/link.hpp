// Where the frames of one greenlet lead on to those of another, which waits for it.
//
//     outermost frame of the body   --previous-->   link   --previous-->   frame of the resumer, while the body runs for it
//                                                          --previous-->   what a greenlet's frames end with, otherwise
//
// CPython puts a frame without a function where C code enters the interpreter; `f_back`, tracebacks and warnings pass it by.
// The link is made like one of those.

#pragma once

#include "interpreter/cpython.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <internal/pycore_frame.h>
#pragma GCC diagnostic pop

namespace interpreter {

// 3.11 has no such frames.
inline constexpr bool links_frames = PY_VERSION_HEX >= 0x030C0000;

// faulthandler of 3.12 and 3.13 passes one such frame by, and takes a second one in a row for that of a function. So the link has
// a code object, which is what it shows then. A new reference, or nullptr with an exception. None on versions that need none.
inline PyObject* make_link_code() noexcept {
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000
    return reinterpret_cast<PyObject*>(PyCode_NewEmpty("<greenlet>", "(resumed by)", 1));
#else
    return Py_NewRef(Py_None);
#endif
}

#if PY_VERSION_HEX >= 0x030C0000

class Link {
public:
    // `code`: of make_link_code(). `end`: what comes last.
    Link([[maybe_unused]] PyObject* code, _PyInterpreterFrame* end) noexcept : end_(end) {
#if PY_VERSION_HEX >= 0x030E0000
        frame_.f_executable.bits = reinterpret_cast<std::uintptr_t>(Py_None) | 1;
        frame_.f_funcobj.bits = 1;
        frame_.stackpointer = frame_.localsplus;
        frame_.owner = FRAME_OWNED_BY_INTERPRETER;
#else
        // The instruction before the first one, as of a function that is about to begin.
        _Py_CODEUNIT* before_first = _PyCode_CODE(reinterpret_cast<PyCodeObject*>(code)) - 1;
#if PY_VERSION_HEX >= 0x030D0000
        frame_.f_executable = code;
        frame_.instr_ptr = before_first;
#else
        frame_.f_code = reinterpret_cast<PyCodeObject*>(code);
        frame_.prev_instr = before_first;
#endif
        frame_.owner = FRAME_OWNED_BY_CSTACK;
#endif
        frame_.previous = end;
    }

    _PyInterpreterFrame* frame() noexcept { return &frame_; }
    const _PyInterpreterFrame* frame() const noexcept { return &frame_; }

    void lead_to(_PyInterpreterFrame* frame) noexcept { frame_.previous = frame; }
    void cut() noexcept { frame_.previous = end_; }

    // The thread state goes, and with it what frames end with.
    void leave_thread_state() noexcept { frame_.previous = end_ = nullptr; }

private:
    _PyInterpreterFrame* end_;
    _PyInterpreterFrame frame_ = {};
    PyObject* no_values_[3] = {};  // CPython's collector may look at so many as the code object could use
};

#else

class Link {
public:
    Link(PyObject*, _PyInterpreterFrame*) noexcept {}
    _PyInterpreterFrame* frame() noexcept { return nullptr; }
    const _PyInterpreterFrame* frame() const noexcept { return nullptr; }
    void lead_to(_PyInterpreterFrame*) noexcept {}
    void cut() noexcept {}
    void leave_thread_state() noexcept {}
};

#endif

}  // namespace interpreter
