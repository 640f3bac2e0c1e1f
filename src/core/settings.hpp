// The settings of the process: the size of stacks, and whether threads get signal stacks. The environment gives the
// first values, and the program can change them. It also names the signal on which greenlets are dumped.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>

namespace core {

// The size of the C stacks of greenlets that are started from now on, in bytes.
std::size_t stack_size() noexcept;
void set_stack_size(std::size_t bytes) noexcept;

// Whether threads that start greenlets get an alternate signal stack.
bool wants_signal_stacks() noexcept;
void set_signal_stacks(bool wanted) noexcept;

// Both settings in one number, so that a thread that starts a greenlet compares once. 0 before the first use.
inline constinit std::atomic<std::size_t> settings{0};

// Reads the environment.
std::size_t find_settings() noexcept;

inline std::size_t stack_settings() noexcept {
    std::size_t known = settings.load(std::memory_order_relaxed);
    return known != 0 ? known : find_settings();
}

// A variable of the environment that this package reads.
struct Variable {
    const char* name;
    const char* text;  // nullptr if it is not set, or empty
    bool is_understood;
};
std::array<Variable, 3> environment() noexcept;

// True if GREENLET_REPORT_STACK_OVERFLOW asks for reports.
bool environment_wants_overflow_reports() noexcept;

// The signal that GREENLET_DUMP_ON_SIGNAL names; 0 for none.
int environment_dump_signal() noexcept;

// Issues a RuntimeWarning for each variable of the environment that is not understood, once in a process. False with an
// exception if the program turns warnings into exceptions.
bool warn_of_environment() noexcept;

}  // namespace core
