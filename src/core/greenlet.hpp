// The greenlet object and its states.
//
//     created                     started                               run() returned, raised,
//        |                           |                                  or was killed
//        v     first switch, throw   v                                      |
//     unstarted ----------------> active: current, or suspended --------> finished
//                                 (has an Activation, on its own stack)
//
// A greenlet belongs to the thread that started it. An unstarted one belongs to the thread of its parent. A thread's
// main greenlet is active from the beginning, runs on the thread's own stack and ends with the thread.

#pragma once

#include "core/module_state.hpp"
#include "interpreter/state.hpp"
#include "interpreter/threading/critical_sections.hpp"
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

// The execution of an active greenlet. It lies in the shared page of the greenlet's slot (stackful/stack.hpp), that of
// a main greenlet in the Thread. The fields that a switch uses come first.
struct alignas(64) Activation {
    interpreter::State state;  // its fields of the thread state, while suspended
    Coroutine* awaited;        // the coroutine that it waits for, if `state.awaits` (core/coroutine/coroutine.hpp)
    stackful::Slot* slot;      // nullptr for a main greenlet
    PyGreenlet* greenlet;      // borrowed
    Activation* previous;      // links to the other active greenlets of the thread
    Activation* next;
    GcRoot* gc_roots;            // owned by C++ functions on its stack (core/gc_root.hpp)
    PyObject* run;               // the callable that it runs; owned by its stack
    PyObject* const* arguments;  // of the call of `run`; owned by its stack
    std::uint32_t argument_count;
    std::uint32_t bodies;  // how many bodies of coroutines have it as their resumer
    Mark mark;
    [[no_unique_address]] interpreter::CriticalSections critical_sections;
    std::size_t number;  // Thread::started with it. Tells it from an earlier one in the same slot, to those who look

    // Sets the coroutine that the greenlet waits for; nullptr for none.
    void await(Coroutine* coroutine) noexcept {
        awaited = coroutine;
        state.awaits = coroutine != nullptr;
    }
};

// The activation that lies on a slot in use.
inline const Activation& activation_on(const stackful::Slot& slot) noexcept {
    return *reinterpret_cast<const Activation*>(slot.client_begin());
}

enum class Phase : std::uint8_t { unstarted, active, finished };

// What a greenlet is to its thread: the body of a coroutine runs on behalf of another greenlet
// (core/coroutine/coroutine.hpp).
enum class Role : std::uint8_t { plain, main, body };

// Whether a greenlet is in its thread's kill queue (core/kill.hpp): queued, because nothing references it; or
// collected, because the garbage collector found it, and then it is killed even if it is referenced.
enum class Kill : std::uint8_t { none, queued, collected };

// How the next switch to a greenlet fails, for tests. switch_to() looks at it.
enum class Fault : std::uint8_t { none, error, fatal_error };

// PyGreenlet::pimpl points to it. The fields that a switch uses come first: they share a cache line with the object.
struct Greenlet {
    interpreter::SharedValue<Thread*> thread;          // owned; nullptr while unstarted
    interpreter::SharedValue<Activation*> activation;  // while active
    stackful::Execution execution;                     // registers, while suspended
    union {                                            // in the object's next line
        PyObject* context;                             // owned; the contextvars.Context, while not active
        const void* to_prefetch;  // while active: the frame that it was suspended in last; maybe gone since
    };
    interpreter::SharedValue<Phase> phase;
    Fault fault;
    Role role = Role::plain;
    Kill kill = Kill::none;
    bool holds_itself = false;  // it survived being killed: owns a reference to itself until it finishes
    PyGreenlet* parent;         // owned; nullptr for a main greenlet and after garbage collection
    PyObject* run;              // owned; while unstarted the callable, in the kill queue the next greenlet of the queue
    Coroutine* coroutine = nullptr;  // of a body: its coroutine; nullptr once that is gone
    PyGreenlet* resumer = nullptr;   // of a body that runs: owned; the greenlet that it runs on behalf of
};

// Decommits memory that a suspended greenlet used when its calls were nested deeper.
inline void trim(Activation& suspended) noexcept {
    stackful::trim_suspended(*suspended.slot, suspended.greenlet->pimpl->execution.context,
                             suspended.state.first_chunk_top());
}

inline bool is_active(const PyGreenlet* g) noexcept { return g->pimpl->phase == Phase::active; }
inline bool is_main(const PyGreenlet* g) noexcept { return g->pimpl->role == Role::main; }
inline bool is_body(const PyGreenlet* g) noexcept { return g->pimpl->role == Role::body; }
inline bool is_started(const PyGreenlet* g) noexcept { return g->pimpl->phase != Phase::unstarted; }

inline PyObject* as_object(PyGreenlet* g) noexcept { return reinterpret_cast<PyObject*>(g); }
inline PyGreenlet* as_greenlet(PyObject* o) noexcept { return reinterpret_cast<PyGreenlet*>(o); }

// True for a greenlet of the interpreter, on which greenlet.__new__() was called.
inline bool is_greenlet(PyObject* object, const ModuleState& module) noexcept {
    return PyObject_TypeCheck(object, module.greenlet_type) && as_greenlet(object)->pimpl != nullptr;
}

// Held while a parent is changed, and while more than one parent is followed, so that no cycle of parents can form.
// With a GIL it does nothing.
inline interpreter::Lock parents_lock;

// The parent: a new reference, or nullptr. exchange_parent() takes over a reference to the new one and returns the old
// one.
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
