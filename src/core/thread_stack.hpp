// Calls on the thread's own stack, from greenlets that have stacks of their own.
//
// Some code compares the stack pointer with the bounds of the thread's stack: virtual machines, collectors that scan
// stacks. In a greenlet it finds the stack pointer outside. While the main greenlet is suspended the thread's stack is
// free below its frames, so a function can be called there. Until the function returns no switch is possible: a
// greenlet could switch to the main greenlet, and the frames of that would overwrite the function's.

#pragma once

#include "core/thread.hpp"

namespace core {

// Calls `function` as PyObject_Vectorcall() does, on the running thread's own stack. It is a plain call if the thread
// runs there already. nullptr with greenlet.error if the main greenlet is suspended on another stack.
PyObject* call_on_thread_stack(PyObject* function, PyObject* const* arguments, std::size_t flagged_count,
                               PyObject* keyword_names) noexcept;

// Raises an exception of the class `error`, which says that no switch is possible on the thread's own stack.
void refuse_switch_on_own_stack(PyObject* error) noexcept;

}  // namespace core
