// Naming the greenlet whose C stack overflowed, before that ends the process: an option, for all threads.

#pragma once

namespace core {

// Is it on?
bool reports_stack_overflow() noexcept;

// Turns it on or off. The running thread is ready at once, others when they next start a greenlet. False with an exception
// if there is no memory.
bool report_stack_overflow(bool enable) noexcept;

// Turns it on if the environment says so; once a process.
void report_stack_overflow_from_environment() noexcept;

}  // namespace core
