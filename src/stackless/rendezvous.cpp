#include "stackless/rendezvous.hpp"

#include <utility>

#include "core/reference.hpp"
#include "stackless/turn.hpp"

namespace stackless {

using core::Reference;
using interpreter::CallInProgress;
using interpreter::Holding;

namespace {

// Calls the channel callback. Meanwhile the current tasklet has the outcome `shown`. False with an exception.
bool call_channel_callback(Channel& c, Scheduler& s, bool sends, bool blocks, Outcome shown) noexcept {
    if (s.is_switching()) {
        PyErr_SetString(PyExc_RuntimeError, "callbacks can't use channels");
        return false;
    }
    Reference callback = s.state->get(&State::channel_callback);
    if (!callback) {
        return true;
    }
    Tasklet* self = s.current;
    Reference kept = Reference::borrow(as_object(self));  // greenlets may switch in the callback, and end it
    Holding lock(tasklets_lock);
    Outcome before = self->outcome.exchange(std::move(shown));
    lock.release();
    PyObject* arguments[] = {as_object(&c), as_object(self), sends ? Py_True : Py_False, blocks ? Py_True : Py_False};
    s.set_switching(true);
    Reference result = Reference::steal(PyObject_Vectorcall(callback.get(), arguments, 4, nullptr));
    if (s.current == self) {  // else another tasklet may be in the middle of a switch
        s.end_switching();
    }
    lock.acquire_again();
    Outcome after = self->outcome.exchange(std::move(before));
    lock.release();
    return bool(result);
}

// The scheduler of the running thread. nullptr with an exception.
[[gnu::always_inline]] inline Scheduler* running_scheduler(Channel& c) noexcept {
    if (!interpreter::has_gil) {
        return Scheduler::running();
    }
    Scheduler* last = c.last_user;
    if (last != nullptr && last->thread != nullptr && interpreter::is_running(last->thread->thread_state)) [[likely]] {
        return last;
    }
    Scheduler* running = Scheduler::running();
    Py_XINCREF(running);
    Py_XSETREF(c.last_user, running);
    return running;
}

// True if the current tasklet may wait on the channel. If not, sets an exception.
[[gnu::always_inline]] inline bool may_wait(Channel& c, Scheduler& s) noexcept {
    if (c.closing) {
        PyErr_SetString(PyExc_ValueError, "Send/receive operation on a closed channel");
        return false;
    }
    if (s.current->block_trap) {
        PyErr_SetString(PyExc_RuntimeError, "this tasklet does not like to be blocked.");
        return false;
    }
    return s.may_switch();
}

// Suspends the current tasklet until another one meets it on the channel. The lock is held, and released.
[[gnu::always_inline]] inline PyObject* wait(Channel& c, Scheduler& s, bool sends, Outcome sent, Holding& lock,
                                             CallInProgress call) noexcept {
    Tasklet* self = s.current;
    s.runnable.remove(self);
    c.append(self, sends);
    Outcome old = self->outcome.exchange(std::move(sent));
    lock.release();
    if (old.is_empty() && !s.runnable.is_empty()) [[likely]] {
        return switch_tasklets(s, self, s.runnable.first(), call);
    }
    return release_and_switch(s, self, old.release(), nullptr, call);
}

// The current tasklet meets the first one that waits on the channel. The lock is held, and released.
template <bool sends>
[[gnu::always_inline]] inline PyObject* meet(Channel& c, Scheduler& s, Outcome sent, Holding& lock,
                                             CallInProgress call) noexcept {
    Tasklet* other = c.waiting.first();
    Tasklet* self = s.current;
    bool is_of_this_thread = other->scheduler == &s;
    bool switches = is_of_this_thread && (c.schedule_all || c.preference == (sends ? -1 : 1));
    if (switches && !s.may_switch()) [[unlikely]] {
        lock.release();
        return nullptr;
    }
    c.remove(other);
    Outcome received = other->outcome.exchange(std::move(sent));
    Outcome unused;  // of a tasklet that receives; not empty if its `tempval` was set
    if constexpr (sends) {
        unused = received.take();
    }
    if (!is_of_this_thread) {
        other->scheduler->make_runnable(other);
    }
    else if (switches && !c.schedule_all) {
        s.runnable.overtake(other);
    }
    else {
        s.runnable.append(other);
        if (switches) {
            s.runnable.rotate_to(self->chain_link.next);
        }
    }
    if (switches) {
        Outcome old = self->outcome.exchange(std::move(received));
        lock.release();
        if (!old.is_empty() || !unused.is_empty()) [[unlikely]] {
            return release_and_switch(s, self, old.release(), unused.release(), call);
        }
        return switch_tasklets(s, self, s.runnable.first(), call);
    }
    lock.release();
    unused = Outcome();
    return std::move(received).deliver();
}

// What send() and receive() share. `sent` is empty for receive().
template <bool sends>
[[gnu::always_inline]] inline PyObject* rendezvous(Channel& c, Outcome sent, CallInProgress call) noexcept {
    Scheduler* scheduler = running_scheduler(c);
    if (scheduler == nullptr) [[unlikely]] {
        return nullptr;
    }
    Scheduler& s = *scheduler;
    s.thread->run_kill_queue();
    auto blocks = [&c] { return sends ? c.balance >= 0 : c.balance <= 0; };
    if (s.state->channel_callback != nullptr && !call_channel_callback(c, s, sends, blocks(), sent.copy()))
        [[unlikely]] {
        return nullptr;
    }
    Holding lock(tasklets_lock);
    if (blocks()) {
        lock.release();
        if (!may_wait(c, s)) [[unlikely]] {
            return nullptr;
        }
        lock.acquire_again();
        if (interpreter::has_gil || blocks()) [[likely]] {
            return wait(c, s, sends, std::move(sent), lock, call);
        }
    }
    return meet<sends>(c, s, std::move(sent), lock, call);
}

}  // namespace

PyObject* send(Channel& c, PyObject* value, CallInProgress call) noexcept {
    return rendezvous<true>(c, Outcome::value(value), call);
}

[[gnu::cold]] PyObject* send_error(Channel& c, PyObject* exception) noexcept {
    return rendezvous<true>(c, Outcome::error(exception), {});
}

PyObject* receive(Channel& c, CallInProgress call) noexcept { return rendezvous<false>(c, Outcome(), call); }

}  // namespace stackless
