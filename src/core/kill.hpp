// How a greenlet is ended from outside: an exception is thrown into it, at once or when its thread runs the kill queue;
// or it is abandoned, if nobody will resume it.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// Ends an active greenlet that is unreferenced. In its own thread it throws GreenletExit into the greenlet, reports
// other exceptions as unraisable and keeps the exception in flight. In another thread, or if the thread postpones
// kills, it puts the greenlet into the kill queue; if its thread has ended, it abandons the greenlet. `collected`: the
// garbage collector found the greenlet. References to it may be left, and it gets a GreenletExit that event loops do
// not swallow.
void kill(PyGreenlet* g, bool collected) noexcept;

// True if an active greenlet belongs to another thread, or its thread postpones kills.
bool must_be_killed_later(PyGreenlet* g) noexcept;

// Ends an active greenlet that will never run again, because its thread or the interpreter has ended: releases what its
// frames own and returns its stack.
void abandon(PyGreenlet* g) noexcept;

// Keeps a collected greenlet that caught GreenletExit and switched away: its stack can't be freed before it finishes.
// It owns a reference to itself, so that the garbage collector does not clear what it uses.
void keep_survivor(PyGreenlet* g) noexcept;

}  // namespace core
