// Calls on the thread's own stack, from greenlets that have stacks of their own.
//
// Some code compares the stack pointer with the bounds of the thread's stack: virtual machines, collectors that scan stacks.
// In a greenlet it finds itself outside. The thread's stack is free below the frames of the main greenlet while that is
// suspended, so a function can be called there. As long as it runs no switch can be made: who would be switched to could
// switch to the main greenlet, whose frames would then overwrite those of the function.

#pragma once

#include "core/thread.hpp"

namespace core {

// Calls `function` as PyObject_Vectorcall() does, on the running thread's own stack; plainly if that is where it runs already.
// nullptr with greenlet.error if the thread's stack can't be had.
PyObject* call_on_thread_stack(PyObject* function, PyObject* const* arguments, std::size_t flagged_count,
                               PyObject* keyword_names) noexcept;

// Says in an exception of a type why nothing can be switched to: is_on_own_stack().
void refuse_switch_on_own_stack(PyObject* error) noexcept;

}  // namespace core
