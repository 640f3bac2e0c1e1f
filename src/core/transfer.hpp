// From one greenlet's stack to another's, and what a greenlet does first when it is resumed. Stacks are exchanged
// nowhere else.

#pragma once

#include <type_traits>

#include "core/greenlet.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"
#include "interpreter/frames/prefetch.hpp"
#include "interpreter/thread_state.hpp"

namespace core {

struct Start;

// Switches to a suspended greenlet of the running thread. Takes over the value; returns what the caller is resumed
// with.
PyObject* transfer(Thread& thread, PyGreenlet* target, PyObject* value, interpreter::CallInProgress call) noexcept;

// The same, for a coroutine's body and its resumer, which take turns. Takes over the reference to the target too.
PyObject* transfer_by_jump(Thread& thread, PyGreenlet* target, PyObject* value,
                           interpreter::CallInProgress call) noexcept;

// True if `g` is a suspended greenlet of the running thread and nothing else is to be done.
inline bool is_plain_switch(PyGreenlet* g) noexcept {
    Greenlet& target = *g->pimpl;
    return target.activation != nullptr && interpreter::is_running(target.thread->thread_state) &&
           target.thread->current != g && !target.thread->has_obstacles();
}

// --- for start and finish --------------------------------------------------------------------------------------------

// Tells the thread's observers of a switch to the current greenlet. Takes over the value and returns it. nullptr with
// the trace function's exception, which also unsets it.
PyObject* observe(Thread& thread, PyGreenlet* origin, PyObject* value);

// What each greenlet does first when it is resumed or started. Takes over the value and returns it, or nullptr with an
// exception.
[[gnu::always_inline]] inline PyObject* arrive(Thread& thread, PyObject* value) {
    PyGreenlet* origin = thread.origin;
    if (thread.observers != 0) [[unlikely]] {
        value = observe(thread, origin, value);
    }
    Py_DECREF(origin);
    return value;
}

// Makes `target` the thread's current greenlet. Takes over the reference: the garbage collector would not see one on
// the stack of the suspended greenlet. A signal handler, or another process, may look between two of the stores: it
// must never see a greenlet that is not the current one, nor the origin, and has not saved its state
// (inspect/stack_reader.hpp).
inline void set_current(Thread& thread, Reference target) {
    thread.origin = thread.current;
    asm("" : "+m"(thread.current) : "m"(thread.origin));  // in this order
    thread.current = as_greenlet(target.release());
    ++thread.switches;
}

// What an active greenlet does first when it is resumed. Takes over the value. The call that suspended the greenlet
// returns what this returns.
PyObject* resumed(Thread& thread, Activation& self, PyObject* value);

// The same, if a greenlet that has finished resumes it. Returns that one's stack too.
PyObject* resumed_by_last_switch(Thread& thread, Activation& self, PyObject* value);

// Exchanges the stacks, and what the thread state has of each greenlet. `to` begins with a Start, or is active and is
// resumed() with a value. Returns what `from` is resumed with; never returns if that leaves permanently.
template <stackful::Leaving leaving = stackful::Leaving::temporarily,
          stackful::Returning returning = stackful::Returning::by_ret, class Payload>
[[gnu::always_inline]] inline PyObject* exchange(Thread& thread, Greenlet& from, Activation& from_activation,
                                                 Greenlet& to, Payload&& payload) {
    Activation& to_activation = *to.activation;
    // If the greenlet has waited for long, its frame is in no cache. The address of the frame is in its Activation too,
    // but that is in no cache either.
    if constexpr (!std::is_same_v<std::remove_reference_t<Payload>, Start>) {
        interpreter::prefetch_variables(to.to_prefetch);
    }
    if constexpr (leaving == stackful::Leaving::permanently) {
        interpreter::State::leave(thread.thread_state, from_activation.state, to_activation.state);
    }
    else {
        from.to_prefetch = interpreter::Calls::running_frame(thread.thread_state);
        interpreter::State::exchange(thread.thread_state, from_activation.state, to_activation.state);
    }
    void* received;
    if constexpr (std::is_same_v<std::remove_reference_t<Payload>, Start>) {
        received = stackful::begin_arriving(from.execution, to.execution, &payload, leaving);
    }
    else {
        auto arrival = [](void* t, void* self, void* value) -> void* {
            constexpr auto go_on = leaving == stackful::Leaving::permanently ? resumed_by_last_switch : resumed;
            return go_on(*static_cast<Thread*>(t), *static_cast<Activation*>(self), static_cast<PyObject*>(value));
        };
        received = stackful::switch_arriving<returning>(from.execution, to.execution, arrival, &thread, &to_activation,
                                                        payload, leaving);
    }
    return static_cast<PyObject*>(received);
}

// Suspends the current greenlet. Resumes `target` with a value, or begins it with a Start.
template <stackful::Returning returning = stackful::Returning::by_ret, class Payload>
[[gnu::always_inline]] inline PyObject* suspend(Thread& thread, Reference target, Payload&& payload,
                                                interpreter::CallInProgress call) {
    Greenlet& from = *thread.current->pimpl;
    Activation& activation = *from.activation;
    activation.critical_sections.suspend(thread.thread_state);
    activation.state.call.set(call);
    ++activation.state.suspensions;
    Greenlet& to = *as_greenlet(target.get())->pimpl;
    set_current(thread, std::move(target));
    return exchange<stackful::Leaving::temporarily, returning>(thread, from, activation, to, payload);
}

}  // namespace core
