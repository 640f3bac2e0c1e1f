// From the creation of a greenlet object to its end, by reference count or by garbage collection.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// A new unstarted greenlet of a type, its parent the current greenlet. nullptr with an exception if memory ran out.
PyGreenlet* create(PyTypeObject* type, Thread& thread) noexcept;

// The main greenlet of a thread: active, with the thread's own activation. nullptr with an exception.
PyGreenlet* create_main(Thread& thread) noexcept;

// Ends a greenlet that is active but will never run again, because its thread is gone or the interpreter is ending:
// lets go of what its frames own and returns its stack.
void abandon(PyGreenlet* g) noexcept;

// Did the thread of a started greenlet end?
inline bool is_of_ended_thread(const PyGreenlet* g) noexcept {
    return g->pimpl->thread != nullptr && g->pimpl->thread->thread_state == nullptr;
}

// How many bytes of its C stack a suspended greenlet uses. 0 for a main greenlet, unless its thread is the running one, and for
// one that switched away on a stack which is not its own.
std::size_t stack_bytes_in_use(const PyGreenlet* g) noexcept;

// For a greenlet that caught GreenletExit and switched away when it was garbage: keeps it as it is until it finishes, because
// its stack can't be freed. The garbage collector must not see it again: it would be ended when what it uses has been cleared.
void keep_survivor(PyGreenlet* g) noexcept;

// The slots of the type.
void deallocate(PyObject* self);
int traverse(PyObject* self, visitproc visit, void* arg);
int clear(PyObject* self);
void finalize(PyObject* self);

}  // namespace core
