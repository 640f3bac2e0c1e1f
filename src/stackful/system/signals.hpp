// Signals that programs send, by name and number. A system may have none.

#pragma once

#include <string_view>

namespace stackful::system {

// False where no process can send another one a signal.
bool has_signals() noexcept;

// The number of the signal with a name such as USR1. 0 if there is none.
int signal_named(std::string_view name) noexcept;

// True if there may be a handler that returns for the signal. Faults happen again when a handler returns, and the
// system lets nobody handle SIGKILL and SIGSTOP.
bool may_be_handled(int signal) noexcept;

}  // namespace stackful::system
