// Text about functions, greenlets and threads, for messages and repr(). Nothing here runs code of the program.

#pragma once

#include "core/reference.hpp"
#include "core/thread.hpp"

namespace core {

// The name of a callable, as a str. Empty with MemoryError.
Reference name_of(PyObject* callable) noexcept;

// True if this thread may look at the frames of an active greenlet. Without a GIL its own thread may resume it
// meanwhile.
bool shows_frames(const PyGreenlet* g) noexcept;

// What a greenlet runs and, if it is suspended, where: "; runs f, in g at file.py:12". A str, which may be "". Empty
// with MemoryError.
Reference work_of(PyGreenlet* g) noexcept;

// How many bytes of its C stack a suspended greenlet uses. 0 if its stack pointer is not on its own stack, and for the
// main greenlet of another thread.
std::size_t stack_bytes_in_use(const PyGreenlet* g) noexcept;

// What an active greenlet runs for the program, if a layer above core runs a function of its own in it. Empty, without
// an exception, for other greenlets.
Reference layers_function_of(const PyGreenlet* g) noexcept;

// The name of the function that an active greenlet of the running thread runs. Empty, without an exception, if it runs
// none, as a main greenlet.
Reference name_of_function(PyGreenlet* g) noexcept;

// A thread's name in the module threading. Empty, without an exception, if it has none.
Reference plain_name_of(const Thread& thread) noexcept;

// A thread's name and identifier: "'MainThread' (140012345678912)". A str. Empty with MemoryError.
Reference name_of(const Thread& thread) noexcept;

}  // namespace core
