// The tasklet object: a function that the scheduler of its thread runs, on a greenlet.
//
//               bind(function, arguments)             insert()
//     unbound ------------------------------> paused ----------> runnable ---+
//        ^                                      ^ <--- remove() --- | ^      |  its turn
//        |  it returned, or was killed          |                   | |      v
//        +---- ended <------------------------- +--- switch() ---- current --+
//                                                                   | ^
//                                                     send, receive v |
//                                                                  blocked
//
// Who holds it: the chain it is in, and its greenlet while it is active. So an active tasklet that leaves its chain stays.
//
// A tasklet is no greenlet: it is what goes on, and a greenlet is where. It gets a greenlet when it first runs, and
// each time it is suspended it notes which greenlet that happened in: code in a tasklet may use greenlets of its own.

#pragma once

#include <utility>

#include "core/greenlet.hpp"
#include "interpreter/lock.hpp"
#include "stackless/hooks.hpp"

namespace stackless {

struct Channel;
struct Scheduler;

// Held to look at, or change, what other threads may use of tasklets, channels and schedulers. Where threads take turns it is
// nothing. What is let go of, is so after it.
inline interpreter::Lock tasklets_lock;

// The chain that a tasklet is linked into. The chain owns a reference to it.
enum class Chain : std::uint8_t { none, runnable, channel };

struct Tasklet {
    PyObject_HEAD
    Tasklet* previous;      // in its chain
    Tasklet* next;
    interpreter::SharedValue<Scheduler*> scheduler;   // owned; of the thread it belongs to
    PyGreenlet* greenlet;   // owned; where it goes on. nullptr before it first runs
    PyObject* value;        // owned; what the call that suspended it returns, or raises; nullptr: None
    PyObject* function;     // owned, like the next three, until it ends
    PyObject* arguments;    // a tuple; nullptr: not alive
    PyObject* keywords;     // a dict or nullptr
    PyObject* context;      // contextvars.Context, before it first runs
    Channel* channel;       // borrowed; if it is in the chain of a channel
    PyObject* weak_references;
    Tasklet* older_active;  // the other active tasklets of its thread
    Tasklet* newer_active;
    Hooks hooks;
    interpreter::SharedValue<Chain> chain;
    bool raises;            // `value` is to be raised
    bool sends;             // what it waits for in the chain of a channel
    interpreter::SharedValue<bool> is_active;  // it has begun to run, and has not ended
    bool is_outside;        // it was suspended by something else than its scheduler, which resumed another tasklet
    bool is_main;           // it is what the thread does when it runs no tasklet
    interpreter::SharedValue<bool> atomic;
    interpreter::SharedValue<bool> block_trap;
    interpreter::SharedValue<bool> ignore_nesting;
};

inline PyObject* as_object(Tasklet* tasklet) noexcept { return reinterpret_cast<PyObject*>(tasklet); }
inline Tasklet* as_tasklet(PyObject* object) noexcept { return reinterpret_cast<Tasklet*>(object); }

// Has it begun to run, and not ended?
inline bool has_stack(const Tasklet* t) noexcept {
    return t->is_active && t->greenlet->pimpl->phase == core::Phase::active;
}

// Can it run, now or when it is inserted? The lock is held.
bool is_alive(const Tasklet* t) noexcept;

// Sets what a suspended tasklet is resumed with. The lock is held. Takes over the value; returns the old one, for the caller to
// let go of.
[[nodiscard]] inline PyObject* exchange_value(Tasklet* t, PyObject* value, bool raises) noexcept {
    PyObject* old = t->value;
    t->value = value;
    t->raises = raises;
    return old;
}

// The same for one that is resumed with nothing any more.
inline void clear_value(Tasklet* t) noexcept {
    PyObject* old;
    {
        interpreter::Holding lock(tasklets_lock);
        old = exchange_value(t, nullptr, false);
    }
    Py_XDECREF(old);
}

// Sets where it goes on. Takes over the reference.
inline void exchange_greenlet(Tasklet* t, PyGreenlet* g) noexcept {
    PyGreenlet* old;
    {
        interpreter::Holding lock(tasklets_lock);
        old = std::exchange(t->greenlet, g);
    }
    Py_XDECREF(old);
}

// Has it bound to nothing, and resumed with nothing. What it was bound to goes after that, because it may run code, and without
// the lock, which is held at first.
inline void unbind(Tasklet* t, interpreter::Holding& lock) noexcept {
    PyObject* taken[] = {std::exchange(t->function, nullptr), std::exchange(t->arguments, nullptr),
                         std::exchange(t->keywords, nullptr), std::exchange(t->context, nullptr), exchange_value(t, nullptr, false)};
    lock.release();
    for (PyObject* each : taken) {
        Py_XDECREF(each);
    }
}

inline void unbind(Tasklet* t) noexcept {
    interpreter::Holding lock(tasklets_lock);
    unbind(t, lock);
}

// tasklet_type.cpp: the class. A new reference, or nullptr with an exception.
PyObject* make_tasklet_type() noexcept;

// A new tasklet, which nothing is bound to. nullptr with an exception if memory ran out.
Tasklet* make_tasklet(PyTypeObject* type, Scheduler& scheduler) noexcept;

// Raises an exception in a tasklet. Takes over the reference to it. `pending`: when it is its turn, else at once. None, or
// nullptr with an exception.
PyObject* throw_into(Tasklet* t, PyObject* exception, bool pending) noexcept;

// An exception object made of what `raise` would take. A new reference, or nullptr with TypeError.
PyObject* make_exception(PyObject* type, PyObject* value, PyObject* traceback) noexcept;

}  // namespace stackless
