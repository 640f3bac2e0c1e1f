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
// A tasklet is owned by the chain it is in, and by its greenlet while it is active. The greenlet of a paused tasklet
// does not own it, so that a paused tasklet ends when it is no longer referenced from elsewhere.
//
// A tasklet is not a greenlet. It gets one when it first runs, and notes in which one it is suspended: code in a
// tasklet may use greenlets of its own.

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

// How an active tasklet is suspended. Also of the one that runs.
enum class Suspension : std::uint8_t {
    in_turn,  // its scheduler switched to another tasklet
    unowned,  // the same; it is paused, and its greenlet does not own it
    outside,  // another greenlet was resumed by other means, and another tasklet with it
};

struct Tasklet {
    PyObject_HEAD
    Link<Tasklet> in_chain;
    Link<Tasklet> among_active;                      // of its thread
    interpreter::SharedValue<Scheduler*> scheduler;  // owned; of the thread it belongs to
    PyGreenlet* greenlet;                            // owned; where it goes on. nullptr before it first runs
    PyGreenlet* first_greenlet;                      // borrowed; while active: where it began
    core::GcRoot* holder;  // borrowed; while active: what owns it, on the stack of its first greenlet
    Outcome outcome;       // what the call that suspended it returns or raises
    PyObject* function;    // owned, like the next three, until it ends
    PyObject* arguments;   // a tuple; nullptr: it was given none
    PyObject* keywords;    // a dict or nullptr
    PyObject* context;     // contextvars.Context, before it first runs
    Channel* channel;      // borrowed; while it is in the chain of a channel
    PyObject* weak_references;
    Hooks hooks;
    interpreter::SharedValue<Chain> chain;
    Suspension suspension;
    bool sends;                                // what it waits for in the chain of a channel
    bool is_main;                              // it stands for the thread's code outside all other tasklets
    interpreter::SharedValue<bool> is_active;  // it has begun to run, and has not ended
    interpreter::SharedValue<bool> atomic;
    interpreter::SharedValue<bool> block_trap;
    interpreter::SharedValue<bool> ignore_nesting;
};

// Some tasklets that are in the same chain, which owns them; and the active ones of a thread, which are borrowed.
using ChainRing = Ring<Tasklet, &Tasklet::in_chain>;
using ActiveRing = Ring<Tasklet, &Tasklet::among_active>;

inline PyObject* as_object(Tasklet* tasklet) noexcept { return reinterpret_cast<PyObject*>(tasklet); }
inline Tasklet* as_tasklet(PyObject* object) noexcept { return reinterpret_cast<Tasklet*>(object); }

// True if it has begun to run and has not ended, and its greenlet was not killed.
inline bool has_stack(const Tasklet* t) noexcept {
    return t->is_active && t->greenlet->pimpl->phase == core::Phase::active;
}

// True if it has something to run, or to resume.
inline bool is_ready_to_run(const Tasklet* t) noexcept { return t->is_active || t->arguments != nullptr; }

inline void set_suspension(Tasklet* t, Suspension suspension) noexcept {
    interpreter::Holding lock(tasklets_lock);
    t->suspension = suspension;
}

// Empties what it is resumed with.
inline void clear_outcome(Tasklet* t) noexcept {
    Outcome old;
    interpreter::Holding lock(tasklets_lock);
    old = t->outcome.take();
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

// Unbinds the tasklet and empties what it would be resumed with. `lock` is held, and released before the references are
// dropped, which may run code.
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

// Can it run, now or when it is inserted? Not if its thread has ended. The lock is held.
bool is_alive(const Tasklet* t) noexcept;
// nullptr for None, too: many parameters take None for "not given".
inline PyObject* given(PyObject* argument) noexcept { return argument != Py_None ? argument : nullptr; }

// --- operations.cpp, contexts.cpp: what can be done with one, by any thread. False or nullptr with an exception,
// unless said otherwise ---

// The identifier of a thread, unless `number` is None or -1, which stand for what `id` is before. False with an
// exception.
bool parse_thread_id(PyObject* number, unsigned long& id) noexcept;

// Sets RuntimeError. nullptr.
PyObject* fail(const char* message) noexcept;

// A new tasklet, which nothing is bound to.
Tasklet* make_tasklet(PyTypeObject* type, Scheduler& scheduler) noexcept;

// The scheduler of a tasklet of the running thread; nullptr without an exception if it is of another thread, or one
// that has ended.
Scheduler* own_scheduler(const Tasklet& t) noexcept;

// Has the thread that it belongs to ended? Then ends the tasklet.
bool has_ended_thread(const Tasklet& t) noexcept;
void drop_stack(Tasklet& t) noexcept;

// The same as is_alive(), without the lock.
bool is_alive_now(const Tasklet& t) noexcept;

// Is it the current one of the running thread?
bool is_current_here(const Tasklet& t) noexcept;

// Binds it anew. nullptr stands for "not given".
bool bind(Tasklet& t, PyObject* function, PyObject* arguments, PyObject* keywords) noexcept;

// Has it belong to the thread with this id. `running`: the scheduler of the running thread.
bool move(Tasklet& t, Scheduler& running, unsigned long thread_id) noexcept;

// Can it be made runnable, or run?
bool is_ready(const Tasklet& t) noexcept;

// Makes it runnable; `is_next`: before the others.
bool insert(Tasklet& t, bool is_next = false) noexcept;

// Makes it runnable no more.
bool remove(Tasklet& t) noexcept;

// Puts a tasklet of the running thread, whose scheduler is given, before the others, or has the others wait behind it.
bool put_first(Scheduler& s, Tasklet& t) noexcept;

// An exception object made of what `raise` would take: a new reference.
PyObject* make_exception(PyObject* type, PyObject* value = nullptr, PyObject* traceback = nullptr) noexcept;

// Raises an exception in it. Takes over the reference to it. `pending`: when it is its turn, else at once. None.
PyObject* throw_into(Tasklet* t, PyObject* exception, bool pending) noexcept;

// Raises TaskletExit in it, if it is alive. None.
PyObject* kill(Tasklet& t, bool pending) noexcept;

// Sets the contextvars.Context it runs in.
bool set_context(Tasklet& t, PyObject* context) noexcept;

// The contextvars.Context of one that is not the current one of the running thread: a new reference. Made if it has
// none.
PyObject* get_context(Tasklet& t) noexcept;

// The innermost frame: a new reference, or nullptr without an exception if there is none or it is in use by another
// thread.
PyFrameObject* innermost_frame(const Tasklet& t) noexcept;

}  // namespace stackless
