// CPython 3.11 to 3.13: the value stack of a frame. Its depth is in the frame while that waits for a Python function,
// and in a register while it waits for a C function.

#pragma once

#include <algorithm>

#include "interpreter/frames/value_stack.hpp"

namespace interpreter {

inline _Py_CODEUNIT current_instruction(const Frame* frame) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return *frame->instr_ptr;
#else
    return *frame->prev_instr;
#endif
}

// How many values there are up to the arguments of the call, if these lie on the innermost frame's value stack;
// otherwise -1.
//
// Other C functions may lie between the frame and the switch, and pass on the same arguments. One that puts a value of
// its own before them, as a bound method does, adds an argument; then the number disagrees with that of the current
// instruction.
inline Py_ssize_t values_up_to_arguments(const Frame* frame, const CallInProgress& call) noexcept {
    PyCodeObject* code = code_of(frame);
    PyObject* const* bottom = frame->localsplus + code->co_nlocalsplus;
    PyObject* const* end = call.arguments + call.count;
    bool on_stack = call.arguments > bottom && end <= bottom + code->co_stacksize;
    return on_stack && static_cast<std::size_t>(_Py_OPARG(current_instruction(frame))) == call.count
               ? end - frame->localsplus
               : -1;
}

inline Py_ssize_t owned_values(const Frame* frame, const Frame* callee, const CallInProgress& call) noexcept {
    if (!waits_for_c(callee)) {
        return frame->stacktop >= 0 ? frame->stacktop : code_of(frame)->co_nlocalsplus;
    }
#if PY_VERSION_HEX < 0x030C0000
    // 3.11 clears the frame of a function that has returned before it unlinks that frame. Only during this does a frame
    // that waits for C have a depth.
    if (frame->stacktop >= 0) {
        return -1;
    }
#endif
    Py_ssize_t variables = code_of(frame)->co_nlocalsplus;
    return std::max(variables, callee == nullptr ? values_up_to_arguments(frame, call) : -1);
}

inline Value* place_of_only_argument(Frame* frame, PyObject* const* args, PyCFunction called) noexcept {
    PyObject* const* bottom = frame->localsplus + code_of(frame)->co_nlocalsplus;
    bool is_it = args >= bottom + 2 && args < bottom + code_of(frame)->co_stacksize &&
                 _Py_OPARG(current_instruction(frame)) == 1 &&
                 (is_c_function(args[-1], called) || is_c_function(args[-2], called));
    return is_it ? const_cast<Value*>(args) : nullptr;
}

}  // namespace interpreter
