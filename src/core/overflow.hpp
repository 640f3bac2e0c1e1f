// An option: when a C stack overflows, the greenlet is named before the process ends.

#pragma once

namespace core {

// True if the option is on.
bool reports_stack_overflow() noexcept;

// Turns the option on or off. The running thread is ready at once, the other threads when they next start a greenlet.
// False with an exception.
bool report_stack_overflow(bool enable) noexcept;

// Turns it on if the environment asks for it, once in a process.
void report_stack_overflow_from_environment() noexcept;

}  // namespace core
