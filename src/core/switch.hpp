// Switching: from one greenlet of a thread to another, passing a value or an exception.
//
// The path of one switch, from Python to the registers and back:
//
//     module/greenlet/switch.cpp  greenlet_switch     greenlet.switch(...) as CPython calls it
//     core/switch.cpp             switch_to           if it is no plain switch: which greenlet is really meant; starts it if need be
//     core/transfer.cpp           transfer            a plain switch comes here at once
//     core/transfer.hpp           resume              the other greenlet becomes the current one
//     core/transfer.cpp           exchange            the only place where stacks are exchanged
//     interpreter/state.hpp       State::exchange     this greenlet's part of the thread state out, the other's in
//     stackful/context.hpp        switch_to           tools are told
//     stackful/arch/x86_64.S      stackful_switch     registers out, registers in
//     core/transfer.hpp           resumed             on the other stack
//     core/transfer.hpp           arrive              the other greenlet: traces, drops the reference to where it came from
//
// tests/test_documented_paths.py checks that these are there.
//
// An exception crosses in the thread state, where CPython keeps the one in flight; the value is nullptr then.

#pragma once

#include "core/greenlet.hpp"
#include "core/message.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"

namespace core {

// Switches to `g`, or to the first of its parents that has not finished, starting it if it has not begun. Returns what the
// caller is resumed with: a new reference, or nullptr with an exception. Raises greenlet.error in the caller if `g`
// belongs to another thread, MemoryError if there is no memory for a stack.
PyObject* switch_to(PyGreenlet* g, const Message& message) noexcept;

// The same, when the arguments of the call in progress are not those of the message. The reference is released before the switch.
PyObject* switch_to(Reference target, const Message& message, interpreter::CallInProgress call) noexcept;

// Raises the exception in flight in `g`. Like switch_to(), but GreenletExit for a finished one becomes the result.
PyObject* throw_in_flight(PyGreenlet* g) noexcept;

}  // namespace core
