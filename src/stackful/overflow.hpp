// Overflows of stacks, reported before they end the process.
//
// A stack that is overflowed runs into its guard page, and then the process is sent SIGSEGV. A handler can say which
// stack that was, if it has a stack of its own to run on: each thread needs one.
//
// The handler reports, and leaves the rest to the action that was set before: it never lets the process go on. A
// handler that is set later may run first, and send the signal on (Python's faulthandler does); then it reports after
// that.

#pragma once

#include "stackful/stack.hpp"

namespace stackful {

// Is told of a slot that an execution has just overflowed. Runs in a signal handler.
using OverflowReport = void (*)(const Slot& slot) noexcept;

// Has overflows reported, in the threads that have a signal stack; nullptr: no more. False if the system can not. On
// processors other than x86-64 and AArch64 nothing is reported.
bool report_overflows(OverflowReport report) noexcept;

// Sees to it that the running thread has an alternate signal stack: one of ours, until the thread ends, if it has none.
// False if there is no memory.
bool ensure_signal_stack() noexcept;

}  // namespace stackful
