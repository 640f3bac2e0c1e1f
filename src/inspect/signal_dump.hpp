// Writes the stacks of all greenlets of the process when a signal arrives.
//
// The handler allocates nothing, takes no lock and uses nothing of the interpreter, so it works while C code blocks,
// while another thread has the GIL, and in the middle of a switch.

#pragma once

namespace inspect {

// Sets the handler of a signal, for which stackful::system::may_be_handled() is true. The dump goes to the file
// descriptor `file`. `chains`: the handler that was set before is called afterwards. False with errno.
bool dump_on_signal(int signal, int file, bool chains) noexcept;

// Sets the handler that was set before. False if dump_on_signal() was not called for the signal.
bool stop_dumping_on_signal(int signal) noexcept;

// Calls dump_on_signal() if the environment asks for it, once in a process.
void dump_on_signal_from_environment() noexcept;

}  // namespace inspect
