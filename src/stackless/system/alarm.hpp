// An alarm clock: a signal that the process gets at a set time, and then again and again. There is one in a process.
// Only the main thread uses it, which is the one that gets the signal. Each system has an implementation in this
// folder.

#pragma once

#include <cstdint>

namespace stackless::alarm {

// The signals that it may send, in the order in which to try them: the first, the second, ... 0 after the last.
int candidate(int number) noexcept;

// Makes the clock, unless there is one. A child process does not inherit it. False if the system refuses.
bool make(int signal) noexcept;

// Sets the time of the first signal, in nanoseconds on the monotonic clock; 0 stops it. Does nothing without a clock.
void set(std::int64_t time) noexcept;

void destroy() noexcept;

// The nanoseconds from one signal to the next. There is more than one because CPython 3.11 and 3.12 can overlook a
// signal that arrives while they check for pending signals, until another one arrives.
inline constexpr long interval = 5'000'000;

}  // namespace stackless::alarm
