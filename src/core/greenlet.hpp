// The greenlet object, and the states it goes through.
//
//     created                     started                               run() returned, raised,
//        |                           |                                  or was killed
//        v     first switch, throw   v                                      |
//     unstarted ----------------> active: current, or suspended --------> finished
//                                 (has an Activation, on its own stack)
//
// A greenlet belongs to the thread that started it; one that is unstarted belongs to the thread of its parent. A thread's
// main greenlet is active from the beginning, runs on the thread's own stack, and ends with the thread.

#pragma once

#include "core/module_state.hpp"
#include "interpreter/frames/call_in_progress.hpp"
#include "interpreter/state.hpp"
#include "interpreter/threading/lock.hpp"
#include "interpreter/threading/shared_value.hpp"
#include "stackful/context.hpp"
#include "stackful/stack.hpp"

#define GREENLET_MODULE
#define implementation_ptr_t core::Greenlet*
namespace core {
struct Greenlet;
}
#include "greenlet.h"

namespace core {

struct Thread;
struct Coroutine;
class GcRoot;

// An active greenlet's execution. Lies in the shared page of its slot (stackful/stack.hpp), or in the Thread if the
// greenlet is a main one. What a switch uses comes first, and takes two cache lines.
struct alignas(64) Activation {
    Coroutine* awaited;             // while it waits for one: which (core/coroutine/coroutine.hpp)
    [[no_unique_address]] interpreter::CallInProgress call;  // of the switch that suspended it
    interpreter::State state;       // its part of the thread state, while suspended
    stackful::Slot* slot;           // nullptr for a main greenlet
    PyGreenlet* greenlet;           // whose it is; borrowed
    Activation* previous;           // the other active greenlets of the thread
    Activation* next;
    GcRoot* gc_roots;                     // what C++ functions on its stack refer to (core/gc_root.hpp)
    PyObject* run;                  // what was called; owned by the stack
    PyObject* const* arguments;     // with these arguments; owned by the stack
    Py_ssize_t argument_count;
    std::size_t bodies;             // of coroutines that run on behalf of it: mostly none, or the one of `awaited`
};

// The activation that lies on a slot in use.
inline const Activation& activation_on(const stackful::Slot& slot) noexcept {
    return *reinterpret_cast<const Activation*>(slot.client_begin());
}

enum class Phase : std::uint8_t { unstarted, active, finished };

// What a greenlet is to its thread: the body of a coroutine runs on behalf of another greenlet (core/coroutine/coroutine.hpp).
enum class Role : std::uint8_t { plain, main, body };

// Whether a greenlet is in its thread's kill queue (core/kill.hpp): queued, because nothing references it; or collected,
// because the garbage collector found it, and then it is killed even if it is referenced.
enum class Kill : std::uint8_t { none, queued, collected };

// How the next switch to a greenlet is to fail. For tests only; heeded by switch_to().
enum class Fault : std::uint8_t { none, error, fatal_error };

// What PyGreenlet::pimpl points to. What a switch looks at comes first: it shares a cache line with the object itself.
struct Greenlet {
    interpreter::SharedValue<Thread*> thread;          // shared; nullptr before it was started
    interpreter::SharedValue<Activation*> activation;  // while active
    stackful::Execution execution;                     // its registers, while suspended
    interpreter::SharedValue<Phase> phase;
    Fault fault;
    Role role = Role::plain;
    Kill kill = Kill::none;
    bool holds_itself = false;  // it survived being killed: owns a reference to itself until it finishes
    PyGreenlet* parent;      // owned; nullptr for a main greenlet, and after garbage collection
    PyObject* run;           // owned; before it was started. In the kill queue: the next greenlet of that
    PyObject* context;       // owned; contextvars.Context before it was started, and after it finished
    Coroutine* coroutine = nullptr;  // of a body: its coroutine; nullptr once that is gone
    PyGreenlet* resumer = nullptr;   // of a body that runs: owned; the greenlet that it runs on behalf of
};

// Gives memory back that a suspended greenlet used when its calls were nested deeper.
inline void trim(Activation& suspended) noexcept {
    stackful::trim_suspended(*suspended.slot, suspended.greenlet->pimpl->execution.context.stack_pointer,
                             suspended.state.first_chunk_top());
}

inline bool is_active(const PyGreenlet* g) noexcept { return g->pimpl->phase == Phase::active; }
inline bool is_main(const PyGreenlet* g) noexcept { return g->pimpl->role == Role::main; }
inline bool is_body(const PyGreenlet* g) noexcept { return g->pimpl->role == Role::body; }
inline bool is_started(const PyGreenlet* g) noexcept { return g->pimpl->phase != Phase::unstarted; }

inline PyObject* as_object(PyGreenlet* g) noexcept { return reinterpret_cast<PyObject*>(g); }
inline PyGreenlet* as_greenlet(PyObject* o) noexcept { return reinterpret_cast<PyGreenlet*>(o); }

// Held to change who is whose parent, and to follow more than one parent: so nobody makes a cycle of them. Where threads take turns
// it is nothing.
inline interpreter::Lock parents_lock;

// The parent, as a new reference, or nullptr; and another one instead, which is taken over, for the old one.
inline PyObject* get_parent(PyGreenlet* g) noexcept {
    return interpreter::SharedReference(as_object(g), g->pimpl->parent).get();
}
inline PyObject* exchange_locked_parent(PyGreenlet* g, PyObject* parent) noexcept {
    return interpreter::SharedReference(as_object(g), g->pimpl->parent).exchange(parent);
}
inline PyObject* exchange_parent(PyGreenlet* g, PyObject* parent) noexcept {
    interpreter::Holding changing(parents_lock);
    return exchange_locked_parent(g, parent);
}

}  // namespace core
