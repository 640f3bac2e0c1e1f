// Operations on tasklets, for any thread. They return false or nullptr with an exception, unless said otherwise.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// Sets `id` to the identifier of a thread. None and -1 leave it unchanged. False with an exception.
bool parse_thread_id(PyObject* number, unsigned long& id) noexcept;

// Binds the tasklet to what is given. nullptr stands for "not given".
bool bind(Tasklet& t, PyObject* function, PyObject* arguments, PyObject* keywords) noexcept;

// Moves the tasklet to the thread with this identifier. `running`: the scheduler of the running thread.
bool move_to_thread(Tasklet& t, Scheduler& running, unsigned long thread_id) noexcept;

// True if the tasklet can be made runnable, or run.
bool is_ready(const Tasklet& t) noexcept;

// Makes the tasklet runnable. `is_next`: it runs before the others.
bool insert(Tasklet& t, bool is_next = false) noexcept;

// Pauses the tasklet if it is runnable.
bool remove(Tasklet& t) noexcept;

// Puts a tasklet of the running thread, whose scheduler is given, first: a paused one before the others, a runnable one
// by rotating the ring.
bool put_first(Scheduler& s, Tasklet& t) noexcept;

// Creates an exception from what the statement `raise` would take: a new reference.
PyObject* make_exception(PyObject* type, PyObject* value = nullptr, PyObject* traceback = nullptr) noexcept;

// Raises an exception in the tasklet: at once, or if `pending` when it is its turn. Takes ownership of the reference to
// the exception. Returns None.
PyObject* throw_into(Tasklet* t, PyObject* exception, bool pending) noexcept;

// Raises TaskletExit in the tasklet if it is alive. Returns None.
PyObject* kill(Tasklet& t, bool pending) noexcept;

// Ends a tasklet whose thread has ended. None of its code runs.
void end_without_running(Tasklet& t) noexcept;

}  // namespace stackless
