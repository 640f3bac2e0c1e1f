#include "core/transfer.hpp"

#include "core/coroutine/hooks.hpp"
#include "interpreter/frames/monitoring.hpp"
#include "interpreter/pending_exception.hpp"

namespace core {

namespace {

// Calls the trace function.
[[gnu::noinline]] PyObject* trace(Thread& thread, PyGreenlet* origin, PyGreenlet* target, PyObject* value) {
    interpreter::PendingException in_flight;
    ModuleState& module = *thread.module;
    Reference tracer = Reference::borrow(thread.tracer);
    Reference greenlets = Reference::steal(PyTuple_Pack(2, origin, target));
    Reference result;
    if (greenlets) {
        PyObject* arguments[] = {value != nullptr ? module.event_switch : module.event_throw, greenlets.get()};
        PyThreadState_EnterTracing(thread.thread_state);
        result = Reference::steal(PyObject_Vectorcall(tracer.get(), arguments, 2, nullptr));
        PyThreadState_LeaveTracing(thread.thread_state);
    }
    if (!result) {
        Py_XDECREF(thread.exchange_tracer(nullptr));
        in_flight.discard();
        Py_XDECREF(value);
        return nullptr;
    }
    return value;
}

}  // namespace

[[gnu::noinline]] PyObject* observe(Thread& thread, PyGreenlet* origin, PyObject* value) {
    if ((thread.observers & hook_set) != 0) {
        SwitchHook hook = thread.module->switch_hook.load(std::memory_order_acquire);
        if (hook != nullptr) {
            hook(thread, SwitchEvent::switched, as_object(origin), value == nullptr);
        }
    }
    return thread.tracer != nullptr ? trace(thread, origin, thread.current, value) : value;
}

namespace {

// For a greenlet that waits for a coroutine.
[[gnu::noinline]] PyObject* resumed_otherwise(Thread& thread, Activation& self, PyObject* value) {
    Coroutine& coroutine = *self.awaited;
    bool was_in_ring = stop_waiting_in_ring(coroutine, thread);
    self.state.awaits = false;
    interpreter::adapt_frames(thread.thread_state, self.state, thread.module->restart_events);
    return awaited_otherwise(coroutine, thread, arrive(thread, value), was_in_ring);
}

[[gnu::always_inline]] inline PyObject* go_on(Thread& thread, Activation& self, PyObject* value) {
    self.critical_sections.resume(thread.thread_state);
    if (self.state.awaits) {
        return resumed_otherwise(thread, self, value);
    }
    interpreter::adapt_frames(thread.thread_state, self.state, thread.module->restart_events);
    return arrive(thread, value);
}

}  // namespace

PyObject* resumed(Thread& thread, Activation& self, PyObject* value) {
    stackful::arrived(self.greenlet->pimpl->execution);
    return go_on(thread, self, value);
}

PyObject* resumed_by_last_switch(Thread& thread, Activation& self, PyObject* value) {
    stackful::arrived(self.greenlet->pimpl->execution);
    thread.return_finished_stack();
    return go_on(thread, self, value);
}

PyObject* transfer(Thread& thread, PyGreenlet* target, PyObject* value, interpreter::CallInProgress call) noexcept {
    return suspend(thread, Reference::to(as_object(target)), value, call);
}

PyObject* transfer_by_jump(Thread& thread, PyGreenlet* target, PyObject* value,
                           interpreter::CallInProgress call) noexcept {
    return suspend<stackful::Returning::by_jump>(thread, Reference::steal(as_object(target)), value, call);
}

}  // namespace core
