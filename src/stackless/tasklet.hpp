// The tasklet object: a function that the scheduler of its thread runs on a greenlet.
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
// The chain that a tasklet is in owns it, and so does its greenlet while it is active. The greenlet of a paused tasklet
// does not own it, so a paused tasklet ends when the last reference from elsewhere is dropped.
//
// A tasklet is not a greenlet. It gets one when it first runs, and records on which greenlet it is suspended: code in
// a tasklet may use greenlets of its own.

#pragma once

#include <cstdint>
#include <utility>

#include "core/gc_root.hpp"
#include "core/greenlet.hpp"
#include "stackless/hooks.hpp"
#include "stackless/lock.hpp"
#include "stackless/outcome.hpp"
#include "stackless/ring.hpp"

namespace stackless {

struct Channel;
struct Scheduler;

// The chain that a tasklet is linked into.
enum class Chain : std::uint8_t { none, runnable, channel };

// How an active tasklet is suspended. A running tasklet has a value too.
enum class Suspension : std::uint8_t {
    in_turn,  // its scheduler switched to another tasklet
    unowned,  // the same, and it is paused: its greenlet does not own it
    outside,  // other code switched greenlets, and so resumed another tasklet
};

struct Tasklet {
    PyObject_HEAD
    Link<Tasklet> chain_link;
    Link<Tasklet> active_link;                       // in the ring of the active tasklets of its thread
    interpreter::SharedValue<Scheduler*> scheduler;  // owned; that of the thread it belongs to
    PyGreenlet* greenlet;                            // owned; where it is resumed. nullptr before it first runs
    PyGreenlet* first_greenlet;                      // borrowed; while active: where it began
    core::GcRoot* owner;  // borrowed; while active: the reference on the stack of its first greenlet
    Outcome outcome;      // what the call that suspended it returns or raises
    PyObject* function;   // owned, like the next three, until it ends
    PyObject* arguments;  // a tuple; nullptr: it was given none
    PyObject* keywords;   // a dict or nullptr
    PyObject* context;    // contextvars.Context, before it first runs
    Channel* channel;     // borrowed; while it waits on a channel
    PyObject* weak_references;
    Hooks hooks;
    interpreter::SharedValue<Chain> chain;
    Suspension suspension;
    bool sends;                                // while it waits on a channel: it waits to send, not to receive
    bool is_main;                              // it stands for the thread's code outside all other tasklets
    interpreter::SharedValue<bool> is_active;  // it has begun to run, and has not ended
    interpreter::SharedValue<bool> atomic;
    interpreter::SharedValue<bool> block_trap;
    interpreter::SharedValue<bool> ignore_nesting;
};

// The tasklets of one chain, which owns them.
using ChainRing = Ring<Tasklet, &Tasklet::chain_link>;

// The active tasklets of a thread, borrowed.
using ActiveRing = Ring<Tasklet, &Tasklet::active_link>;

inline PyObject* as_object(Tasklet* tasklet) noexcept { return reinterpret_cast<PyObject*>(tasklet); }
inline Tasklet* as_tasklet(PyObject* object) noexcept { return reinterpret_cast<Tasklet*>(object); }

// True if the tasklet has begun to run and has not ended, and its greenlet was not killed.
inline bool has_stack(const Tasklet* t) noexcept {
    return t->is_active && t->greenlet->pimpl->phase == core::Phase::active;
}

// True if the tasklet has a function to run, or is suspended in it.
inline bool is_ready_to_run(const Tasklet* t) noexcept { return t->is_active || t->arguments != nullptr; }

inline void set_suspension(Tasklet* t, Suspension suspension) noexcept {
    interpreter::Holding lock(tasklets_lock);
    t->suspension = suspension;
}

inline void clear_outcome(Tasklet* t) noexcept {
    Outcome old;
    interpreter::Holding lock(tasklets_lock);
    old = t->outcome.take();
}

// Sets where the tasklet is resumed. Takes ownership of the reference.
inline void exchange_greenlet(Tasklet* t, PyGreenlet* g) noexcept {
    PyGreenlet* old;
    {
        interpreter::Holding lock(tasklets_lock);
        old = std::exchange(t->greenlet, g);
    }
    Py_XDECREF(old);
}

// Sets where the tasklet is resumed. Borrows the greenlet.
inline void set_greenlet(Tasklet* t, PyGreenlet* g) noexcept {
    if (t->greenlet != g) {
        exchange_greenlet(t, core::as_greenlet(Py_NewRef(core::as_object(g))));
    }
}

// Unbinds the tasklet and drops the value it would be resumed with. `lock` is held. It is released before the
// references are dropped, which may run any code.
inline void unbind(Tasklet* t, interpreter::Holding& lock) noexcept {
    PyObject* taken[] = {std::exchange(t->function, nullptr), std::exchange(t->arguments, nullptr),
                         std::exchange(t->keywords, nullptr), std::exchange(t->context, nullptr)};
    Outcome old = t->outcome.take();
    lock.release();
    for (PyObject* each : taken) {
        Py_XDECREF(each);
    }
}

inline void unbind(Tasklet* t) noexcept {
    interpreter::Holding lock(tasklets_lock);
    unbind(t, lock);
}

// nullptr for None: many parameters take None for "not given".
inline PyObject* none_to_null(PyObject* argument) noexcept { return argument != Py_None ? argument : nullptr; }

}  // namespace stackless
