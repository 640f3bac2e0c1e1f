// Reports the overflow of a stack before it ends the process.
//
// An execution that overflows its stack runs into the guard, and the system sends SIGSEGV. A handler can say which
// stack it was, if it has a signal stack to run on; each thread needs one.
//
// The handler reports, and leaves the rest to the action that was set before it: it never lets the process continue. A
// handler that is set later runs first. If it sends the signal on, as Python's faulthandler does, ours reports after
// it.

#pragma once

#include "stackful/stack.hpp"

namespace stackful {

// Receives the slot that an execution has just overflowed. Runs in a signal handler.
using OverflowReport = void (*)(const Slot& slot) noexcept;

// Turns reports on for the threads that have a signal stack, or off if `report` is nullptr. False if the system
// refuses. Nothing is reported on processors without a file in arch/, nor, except on x86 and Arm, if a handler that was
// set later passes the signal on by raising it: the system does not keep the address of the fault there.
bool report_overflows(OverflowReport report) noexcept;

// Makes sure that the running thread has an alternate signal stack: its own, or one of ours until the thread ends.
// False if there is no memory.
bool ensure_signal_stack() noexcept;

}  // namespace stackful
