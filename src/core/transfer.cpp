#include "core/transfer.hpp"

#include "core/coroutine/hooks.hpp"
#include "interpreter/frames/monitoring.hpp"
#include "interpreter/pending_exception.hpp"

namespace core {

[[gnu::noinline]] void* exchange(Greenlet& from, Activation& from_activation, Greenlet& to, void* payload,
                                 PyThreadState* ts) {
    interpreter::State::exchange(ts, from_activation.state, to.activation->state);
    auto leaving = from.phase == Phase::finished ? stackful::Leaving::permanently : stackful::Leaving::temporarily;
    return stackful::switch_to(from.execution, to.execution, payload, leaving);
}

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
        Py_CLEAR(thread.tracer);
        in_flight.discard();
        Py_XDECREF(value);
        return nullptr;
    }
    return value;
}

[[gnu::noinline]] PyObject* arrive_awaiting(Thread& thread, Activation& self, PyObject* value) {
    Coroutine& coroutine = *self.awaited;
    bool was_in_ring = stop_waiting_in_ring(coroutine, thread);
    self.awaited = nullptr;
    interpreter::adapt_frames(thread.thread_state, self.state, thread.module->restart_events);
    return awaited_otherwise(coroutine, thread, arrive(thread, value), was_in_ring);
}

PyObject* transfer(Thread& thread, PyGreenlet* target, PyObject* value, interpreter::CallInProgress call) noexcept {
    return resume(thread, Reference::to(as_object(target)), value, call);
}

PyObject* transfer_reference(Thread& thread, PyGreenlet* target, PyObject* value,
                             interpreter::CallInProgress call) noexcept {
    return resume(thread, Reference::steal(as_object(target)), value, call);
}

#ifdef GREENLET_TRANSFER_JUMPING
extern "C" [[gnu::used, gnu::visibility("hidden")]] PyObject* core_transfer(Thread& thread, PyGreenlet* target,
                                                                            PyObject* value,
                                                                            interpreter::CallInProgress call) noexcept {
    return transfer_reference(thread, target, value, call);
}
#endif

}  // namespace core
