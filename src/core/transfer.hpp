// From one greenlet's stack to another's, and what a greenlet does first when it is resumed. Stacks are exchanged
// nowhere else.

#pragma once

#include "core/greenlet.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"
#include "interpreter/frames/monitoring.hpp"
#include "interpreter/thread_state.hpp"
#include "interpreter/threading/critical_sections.hpp"

namespace core {

// Switches to a suspended greenlet of the running thread. Takes over the value; returns what the caller is resumed
// with.
PyObject* transfer(Thread& thread, PyGreenlet* target, PyObject* value, interpreter::CallInProgress call) noexcept;

// The same; takes over the reference to the target too.
PyObject* transfer_reference(Thread& thread, PyGreenlet* target, PyObject* value,
                             interpreter::CallInProgress call) noexcept;

// The same, for functions that return its result at once (core/transfer_x86_64.S).
#ifdef GREENLET_TRANSFER_JUMPING
extern "C" PyObject* core_transfer_jumping(Thread& thread, PyGreenlet* target, PyObject* value,
                                           interpreter::CallInProgress call) noexcept;
#else
inline PyObject* core_transfer_jumping(Thread& thread, PyGreenlet* target, PyObject* value,
                                       interpreter::CallInProgress call) noexcept {
    return transfer_reference(thread, target, value, call);
}
#endif

// True if `g` is a suspended greenlet of the running thread and nothing else is to be done.
inline bool is_plain_switch(PyGreenlet* g) noexcept {
    Greenlet& target = *g->pimpl;
    return target.activation != nullptr && interpreter::is_running(target.thread->thread_state) &&
           target.thread->current != g && !target.thread->has_obstacles();
}

// --- for start and finish --------------------------------------------------------------------------------------------

// Exchanges the stacks. Returns what is passed to the caller when it is resumed. Never returns if `from` has finished.
void* exchange(Greenlet& from, Activation& from_activation, Greenlet& to, void* payload, PyThreadState* ts);

// Calls the trace function after a switch. Takes over the value and returns it. nullptr with the trace function's
// exception, which also unsets it.
PyObject* trace(Thread& thread, PyGreenlet* origin, PyGreenlet* target, PyObject* value);

// What each greenlet does first when it is resumed or started. Takes over the value and returns it, or nullptr with an
// exception.
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

// Makes `target` the thread's current greenlet. Takes over the reference: the garbage collector would not see one on
// the stack of the suspended greenlet.
inline void set_current(Thread& thread, Reference target) {
    thread.origin = thread.current;
    thread.current = as_greenlet(target.release());
}

// arrive(), for a greenlet that waits for a coroutine.
PyObject* arrive_awaiting(Thread& thread, Activation& self, PyObject* value);

// What the switch function of a resumed greenlet returns.
inline PyObject* resumed(Thread& thread, Activation& self, void* received) {
    auto* value = static_cast<PyObject*>(received);
    if (self.awaited != nullptr) {
        return arrive_awaiting(thread, self, value);
    }
    interpreter::adapt_frames(thread.thread_state, self.state, thread.module->restart_events);
    return arrive(thread, value);
}

// Suspends the current greenlet and resumes `target`. `payload`: the value for an active one, the Start for a prepared
// one.
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
