// The alarm clock of run(timeout): has code called in the middle of Python code that does not look at the time.
//
// CPython runs the handlers of signals between two instructions of the main thread, on the stack of the code that runs.
// So the alarm is a POSIX timer that sends a signal nobody uses, and a handler. Other threads have no such means; in
// them a timeout is noticed at the next switch.

#pragma once

#include <cstdint>

#include "stackless/state.hpp"

namespace stackless::watchdog {

// Nanoseconds on a clock that never goes back.
std::int64_t now() noexcept;

// Sees to it that the handler is installed. False, without an exception, if the running thread can have none.
bool prepare(const State& state) noexcept;

// Has the handler called at that time, and then repeatedly; for 0: not any more.
void set_alarm(std::int64_t time) noexcept;

}  // namespace stackless::watchdog
