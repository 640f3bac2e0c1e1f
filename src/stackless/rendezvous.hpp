// Sending and receiving: what tasklets do with a channel.

#pragma once

#include "interpreter/frames/call_in_progress.hpp"
#include "stackless/channel.hpp"

namespace stackless {

// Hands a value, or an exception to be raised, to a tasklet that receives; waits for one if there is none. Takes over
// the reference. None, or nullptr with an exception.
PyObject* send(Channel& c, PyObject* value, interpreter::CallInProgress call) noexcept;
PyObject* send_error(Channel& c, PyObject* exception) noexcept;

// Takes a value from a tasklet that sends; waits for one if there is none. A new reference, or nullptr with the
// exception that was sent, or another one.
PyObject* receive(Channel& c, interpreter::CallInProgress call) noexcept;

}  // namespace stackless
