// CPython 3.14 and 3.15: the value stack of a frame. The frame knows its depth, but not which of the values it still
// owns: several instructions pass on or release values before they pop them, and a destructor that runs meanwhile may
// switch. So all values of a frame that waits for a C function count only if its instruction is known to own them until
// the function returns.

#pragma once

#include <opcode.h>

#include <algorithm>

#include "interpreter/frames/value_stack.hpp"

namespace interpreter {

// Where the callable of the call in progress is on the value stack. nullptr if there is no call, or if the instruction
// releases arguments before it pops them.
inline const Value* place_of_callable(const Frame* frame) noexcept {
    const _Py_CODEUNIT* instruction = frame->instr_ptr;
    const Value* arguments = frame->stackpointer - instruction->op.arg;
    if ((instruction - 1)->op.code == EXTENDED_ARG) {
        return nullptr;  // there are more arguments than `arg` says
    }
    switch (instruction->op.code) {
#if PY_VERSION_HEX >= 0x030F0000
        case CALL_BUILTIN_O:
        case CALL_METHOD_DESCRIPTOR_NOARGS:
#endif
        case CALL:
        case CALL_NON_PY_GENERAL:
        case CALL_BUILTIN_FAST:
        case CALL_BUILTIN_FAST_WITH_KEYWORDS:
        case CALL_METHOD_DESCRIPTOR_FAST:
        case CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS:
        case CALL_METHOD_DESCRIPTOR_O:
        case INSTRUMENTED_CALL:
            return arguments - 2;
        case CALL_KW:
        case CALL_KW_NON_PY:
        case INSTRUMENTED_CALL_KW:
            return arguments - 3;  // the names follow the arguments
#if PY_VERSION_HEX >= 0x030F0000
        case CALL_EX_NON_PY_GENERAL:
#endif
        case CALL_FUNCTION_EX:
        case INSTRUMENTED_CALL_FUNCTION_EX:
            return frame->stackpointer - 4;
        default:
            return nullptr;
    }
}

// True if the frame waits for the next value of an iterator.
inline bool is_iterating(const Frame* frame) noexcept {
    return frame->instr_ptr->op.code == FOR_ITER || frame->instr_ptr->op.code == INSTRUMENTED_FOR_ITER;
}

// True if the innermost frame calls a C function or method. Other calls do not count, because those of Python functions
// release values before they pop them: the arguments if they do not fit, and since 3.15 also the callable, at the end
// of the call. If the values of the call are popped already, the place of the callable holds some other value, and the
// frame owns all values that are left.
inline bool calls_c(const Frame* frame) noexcept {
    const Value* place = place_of_callable(frame);
    bool is_on_stack = place != nullptr && place >= frame->localsplus + code_of(frame)->co_nlocalsplus;
    PyObject* callable = is_on_stack ? object_of(*place) : nullptr;
    return callable != nullptr && (PyCFunction_CheckExact(callable) || Py_IS_TYPE(callable, &PyMethodDescr_Type)) &&
           Py_REFCNT(callable) > 0;
}

inline Py_ssize_t all_values(const Frame* frame) noexcept {
    Py_ssize_t all = frame->stackpointer - frame->localsplus;
    return all >= 0 && all <= code_of(frame)->co_nlocalsplus + code_of(frame)->co_stacksize ? all : 0;
}

inline Py_ssize_t owned_values(const Frame* frame, const Frame* callee, const CallInProgress&) noexcept {
    bool owns_all = !waits_for_c(callee) || is_iterating(frame) || (callee == nullptr && calls_c(frame));
    Py_ssize_t all = all_values(frame);
    return owns_all ? all : std::min<Py_ssize_t>(all, code_of(frame)->co_nlocalsplus);
}

inline Value* place_of_only_argument(Frame* frame, PyObject* const* args, PyCFunction called) noexcept {
    const Value* bottom = frame->localsplus + code_of(frame)->co_nlocalsplus;
    Value* callable = frame->stackpointer - 3;  // then `self` or nothing, and the argument
    bool is_it = frame->instr_ptr->op.arg == 1 && callable >= bottom && callable == place_of_callable(frame) &&
                 is_c_function(object_of(callable[0]), called) && object_of(callable[2]) == args[0];
    return is_it ? callable + 2 : nullptr;
}

}  // namespace interpreter
