// The alarm clock of run(timeout). It calls a handler while other Python code runs.
//
// CPython runs the handlers of signals between two instructions of the main thread, on the stack of the running code.
// So the alarm is an unused signal (system/alarm.hpp). Other threads run no handlers; in them a timeout is
// noticed at the next switch.

#pragma once

#include <cstdint>

#include "stackless/state.hpp"

namespace stackless::watchdog {

// The time on the monotonic clock, in nanoseconds.
std::int64_t now() noexcept;

// Installs the handler, a function of two arguments, unless one is installed already. False, without an exception, if
// the running thread can't have one. May run any Python code.
bool prepare(const State& state, PyMethodDef& handler) noexcept;

// Sets the time of the first call, in nanoseconds; further calls follow until the alarm is set again. 0 stops it.
void set_alarm(std::int64_t time) noexcept;

}  // namespace stackless::watchdog
