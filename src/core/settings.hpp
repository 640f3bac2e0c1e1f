// The settings of the process: the size of stacks, and whether threads get signal stacks. The environment gives the
// first values, and the program can change them.

#pragma once

#include <array>
#include <cstddef>

namespace core {

// The size of the C stacks of greenlets that are started from now on, in bytes.
std::size_t stack_size() noexcept;
void set_stack_size(std::size_t bytes) noexcept;

// Whether threads that start greenlets get an alternate signal stack.
bool wants_signal_stacks() noexcept;
void set_signal_stacks(bool wanted) noexcept;

// Both settings in one number, so that a thread that starts a greenlet compares once.
std::size_t stack_settings() noexcept;

// A variable of the environment that this package reads.
struct Variable {
    const char* name;
    const char* text;  // nullptr if it is not set, or empty
    bool is_understood;
};
std::array<Variable, 2> environment() noexcept;

// True if GREENLET_REPORT_STACK_OVERFLOW asks for reports.
bool environment_wants_overflow_reports() noexcept;

// Issues a RuntimeWarning for each variable of the environment that is not understood, once in a process. False with an
// exception if the program turns warnings into exceptions.
bool warn_of_environment() noexcept;

}  // namespace core
