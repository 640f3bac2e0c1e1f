// What messages, repr() and attributes say of functions, greenlets and threads. Nothing here runs code of a program.

#pragma once

#include "core/reference.hpp"
#include "core/thread.hpp"

namespace core {

// The name of a callable: a str, or empty with an exception if memory ran out.
Reference name_of(PyObject* callable) noexcept;

// May frames of an active greenlet be looked at? Where threads do not take turns, its thread may resume it meanwhile.
bool shows_frames(const PyGreenlet* g) noexcept;

// What a greenlet runs and, if it is suspended, where: "; runs f, in g at file.py:12". A str, which may be empty; or nothing with an
// exception if memory ran out.
Reference work_of(PyGreenlet* g) noexcept;

// How many bytes of its C stack a suspended greenlet uses. 0 for a main greenlet, unless its thread is the running one, and for
// one that switched away on a stack which is not its own.
std::size_t stack_bytes_in_use(const PyGreenlet* g) noexcept;

// A thread's name and number: "'MainThread' (140012345678912)". A str, or nothing with an exception if memory ran out.
Reference name_of(const Thread& thread) noexcept;

}  // namespace core
