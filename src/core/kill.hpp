// How a greenlet is ended from outside: an exception is thrown into it; it waits in its thread's queue for that; or it is abandoned,
// because nobody will resume it.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// Has an active greenlet end that nobody references any more. In its own thread: throws GreenletExit into it; what else it
// raises is reported as unraisable, and the exception in flight is kept. In another thread, or if the thread postpones kills:
// leaves it to its own; if that has ended, abandons it. `collected`: it is garbage, to which there may be references left,
// and gets a GreenletExit that event loops let pass.
void kill(PyGreenlet* g, bool collected) noexcept;

// Is an active greenlet another thread's, or must it not be killed now for another reason?
bool must_be_killed_later(PyGreenlet* g) noexcept;

// Ends a greenlet that is active but will never run again, because its thread is gone or the interpreter is ending:
// releases what its frames own and returns its stack.
void abandon(PyGreenlet* g) noexcept;

// For a greenlet that caught GreenletExit and switched away when it was garbage: keeps it as it is until it finishes, because
// its stack can't be freed. The garbage collector must not see it again: it would be ended when what it uses has been cleared.
void keep_survivor(PyGreenlet* g) noexcept;

}  // namespace core
