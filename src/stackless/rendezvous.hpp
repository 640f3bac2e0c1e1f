// Sending and receiving on a channel.

#pragma once

#include "interpreter/frames/call_in_progress.hpp"
#include "stackless/channel.hpp"

namespace stackless {

// Passes a value, or an exception to be raised, to a tasklet that receives. Waits for one if there is none. Takes
// ownership of the reference. None, or nullptr with an exception.
PyObject* send(Channel& c, PyObject* value, interpreter::CallInProgress call) noexcept;
PyObject* send_error(Channel& c, PyObject* exception) noexcept;

// Takes a value from a tasklet that sends. Waits for one if there is none. A new reference, or nullptr with an
// exception: the one that was sent, or an error.
PyObject* receive(Channel& c, interpreter::CallInProgress call) noexcept;

}  // namespace stackless
