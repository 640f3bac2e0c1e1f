// Switching from one greenlet of a thread to another, with a value or an exception.
//
// The path of one switch, from Python to the registers and back:
//
//     module/greenlet/switch.cpp  greenlet_switch     greenlet.switch(...) as CPython calls it
//     core/switch.cpp             switch_to           if the switch is not plain: finds the target, starts it
//     core/transfer.cpp           transfer            a plain switch comes here at once
//     core/transfer.hpp           suspend             the other greenlet becomes the current one
//     core/transfer.hpp           exchange            the only place where stacks are exchanged
//     interpreter/state.hpp       State::exchange     exchanges the fields of the thread state
//     stackful/context.hpp        switch_arriving     tells the sanitizers and Valgrind
//     stackful/arch/x86_64.S      stackful_switch_arriving    saves registers, loads registers
//     core/transfer.cpp           resumed             on the other stack, before the other greenlet's call returns
//     core/transfer.hpp           arrive              traces, releases the first greenlet
//
// An exception crosses in the thread state, where CPython keeps the one in flight; the value is nullptr then.

#pragma once

#include "core/greenlet.hpp"
#include "core/message.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"

namespace core {

// Switches to `g`, or to the first of its parents that has not finished, and starts it if it is unstarted. Returns what
// the caller is resumed with: a new reference, or nullptr with an exception. nullptr with greenlet.error if `g` belongs
// to another thread, with MemoryError if there is no memory for a stack.
PyObject* switch_to(PyGreenlet* g, const Message& message) noexcept;

// The same for a caller whose own arguments are not those of the message. Takes over the reference.
PyObject* switch_to(Reference target, const Message& message, interpreter::CallInProgress call) noexcept;

// Raises the exception in flight in `g`. Like switch_to(), but a GreenletExit for a finished greenlet is returned.
PyObject* throw_in_flight(PyGreenlet* g) noexcept;

}  // namespace core
