// From one greenlet's stack to another's: the only room in which stacks are exchanged, and what a greenlet does first when it
// arrives.

#pragma once

#include "core/greenlet.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"
#include "interpreter/threading/critical_sections.hpp"
#include "interpreter/frames/frames.hpp"

namespace core {

// The switch to a suspended greenlet of the same thread that is not the current one. Takes over the value.
PyObject* transfer(Thread& thread, PyGreenlet* target, PyObject* value, interpreter::CallInProgress call) noexcept;

// The same, and takes over the reference to the target too.
PyObject* transfer_reference(Thread& thread, PyGreenlet* target, PyObject* value,
                             interpreter::CallInProgress call) noexcept;

// The same, for callers that return its result without more ado, and have different callers themselves: see
// core/transfer_x86_64.S.
#ifdef GREENLET_TRANSFER_JUMPING
extern "C" PyObject* core_transfer_jumping(Thread& thread, PyGreenlet* target, PyObject* value,
                                           interpreter::CallInProgress call) noexcept;
#else
inline PyObject* core_transfer_jumping(Thread& thread, PyGreenlet* target, PyObject* value,
                                       interpreter::CallInProgress call) noexcept {
    return transfer_reference(thread, target, value, call);
}
#endif

// Is it a suspended greenlet of the running thread, and nothing to do but to switch?
[[gnu::always_inline]] inline bool is_plain_switch(PyGreenlet* g) noexcept {
    Greenlet& target = *g->pimpl;
    return target.activation != nullptr &&
           interpreter::is_running(target.thread->thread_state) && target.thread->current != g &&
           !target.thread->has_obstacles();
}

// --- for start and finish --------------------------------------------------------------------------------------------

// The only place where stacks are exchanged. Returns what is passed to the caller when it is resumed, which it never is if `from` has
// finished.
void* exchange(Greenlet& from, Activation& from_activation, Greenlet& to, void* payload, PyThreadState* ts);

// Tells the tracer of a switch that has just happened. Takes over the value, returns it, or nullptr with the tracer's
// exception, and then the tracer is no more.
PyObject* trace(Thread& thread, PyGreenlet* origin, PyGreenlet* target, PyObject* value);

// What every greenlet does first when it is resumed or started: takes notice of the one that switched to it.
inline PyObject* arrive(Thread& thread, PyObject* value) {
    PyGreenlet* origin = thread.origin;
    if (thread.finished_activation != nullptr) [[unlikely]] {
        thread.return_stack(*std::exchange(thread.finished_activation, nullptr));
    }
    if (thread.tracer != nullptr) [[unlikely]] {
        value = trace(thread, origin, thread.current, value);
    }
    Py_DECREF(origin);
    return value;
}

// Makes `target` the current greenlet, in the thread's records. Takes over the reference: one that stayed on the stack of
// the suspended greenlet would be hidden from the garbage collector.
inline void set_current(Thread& thread, Reference target) {
    thread.origin = thread.current;
    thread.current = as_greenlet(target.release());
}

// arrive(), for a greenlet that waits for a coroutine.
PyObject* arrive_awaiting(Thread& thread, Activation& self, PyObject* value);

// What a greenlet that switched away, and is resumed now, returns.
inline PyObject* resumed(Thread& thread, Activation& self, void* received) {
    auto* value = static_cast<PyObject*>(received);
    if (self.awaited != nullptr) {
        return arrive_awaiting(thread, self, value);
    }
    interpreter::adapt_frames(thread.thread_state, self.state, thread.module->restart_events);
    return arrive(thread, value);
}

// Suspends the current greenlet and goes on with `target`: passes a value to an active one, a Start to one that was prepared.
inline PyObject* resume(Thread& thread, Reference target, void* payload, interpreter::CallInProgress call) {
    interpreter::CriticalSections critical_sections;
    critical_sections.suspend(thread.thread_state);
    Greenlet& from = *thread.current->pimpl;
    Activation& activation = *from.activation;
    activation.call = call;
    Greenlet& to = *as_greenlet(target.get())->pimpl;
    set_current(thread, std::move(target));
    void* received = exchange(from, activation, to, payload, thread.thread_state);
    critical_sections.resume(thread.thread_state);
    return resumed(thread, activation, received);
}

}  // namespace core
