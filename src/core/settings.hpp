// What holds for the whole process: the size of stacks, and whether threads get signal stacks. From the environment
// first, then as the program says.

#pragma once

#include <array>
#include <cstddef>

namespace core {

// How much C stack the next greenlets of all threads get, in bytes.
std::size_t stack_size() noexcept;
void set_stack_size(std::size_t bytes) noexcept;

// Whether threads that start greenlets are to have an alternate signal stack.
bool wants_signal_stacks() noexcept;
void set_signal_stacks(bool wanted) noexcept;

// Both in a number, so that a thread that starts a greenlet has one thing to compare.
std::size_t stack_settings() noexcept;

// A variable of the environment that means something to us.
struct Variable {
    const char* name;
    const char* text;    // nullptr if it is not set, or empty
    bool is_understood;  // and so holds
};
std::array<Variable, 2> environment() noexcept;

// Does GREENLET_REPORT_STACK_OVERFLOW ask for reports?
bool environment_wants_overflow_reports() noexcept;

// Issues a RuntimeWarning for each variable of the environment that could not be understood; once a process. False with
// an exception if the program has warnings raised.
bool warn_of_environment() noexcept;

}  // namespace core
