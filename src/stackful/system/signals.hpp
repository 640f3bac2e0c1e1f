// Signals: those that programs send, by name and number, and what the process does about them.

#pragma once

#include <span>

namespace stackful::system {

struct NamedSignal {
    const char* name;  // such as USR1
    int number;
};

// None where no process can send another one a signal.
std::span<const NamedSignal> signals() noexcept;

// True if the program has set no action for the signal.
bool has_default_action(int signal) noexcept;

// True if there may be a handler that returns for the signal. Faults happen again when a handler returns, and the
// system lets nobody handle SIGKILL and SIGSTOP.
bool may_be_handled(int signal) noexcept;

}  // namespace stackful::system
