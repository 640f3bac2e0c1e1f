#include "stackless/scheduler.hpp"

#include <algorithm>
#include <utility>

#include "core/create.hpp"
#include "core/gc_root.hpp"
#include "core/parent.hpp"
#include "core/reference.hpp"
#include "core/switch.hpp"
#include "core/thread_stack.hpp"
#include "interpreter/allocation.hpp"
#include "interpreter/finalizer.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/threading/threads.hpp"
#include "stackless/channel.hpp"
#include "stackless/describe.hpp"
#include "stackless/watchdog.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

// What is raised if nobody can go on: in the tasklet that would have to wait; and in one that waits when the last other one
// has ended.
constexpr const char* deadlock = "Deadlock: the last runnable tasklet cannot be blocked.";
constexpr const char* nobody_sends = "the main tasklet is receiving without a sender available.";
constexpr const char* nobody_receives = "the main tasklet is sending without a receiver available.";

// How long to wait for other threads before looking again whether there is any that could wake this one.
constexpr PY_TIMEOUT_T patience_in_microseconds = 50'000;

// How long at least, in nanoseconds, until the alarm goes off again that came in the middle of a switch. CPython 3.11 does not go on
// with a traced function while there are signals to be handled: with a shorter timeout than that takes, it never would.
constexpr std::int64_t least_delay = 100'000;

Scheduler* as_scheduler(PyObject* object) noexcept { return reinterpret_cast<Scheduler*>(object); }

// The value that a tasklet is resumed with: a new reference, or nullptr with the exception that it is.
PyObject* take_value(Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    Outcome outcome = t->outcome.take();
    lock.release();
    return std::move(outcome).deliver();
}

// Notes where a tasklet goes on.
void set_greenlet(Tasklet* t, PyGreenlet* g) noexcept {
    if (t->greenlet != g) {
        exchange_greenlet(t, core::as_greenlet(Py_NewRef(core::as_object(g))));
    }
}

// What a tasklet does when something else than the scheduler resumed it.
[[gnu::noinline]] PyObject* resumed_out_of_turn(Scheduler& s, Tasklet* self, PyObject* received) {
    {
        Holding lock(tasklets_lock);
        hold(self);
    }
    if (!self->is_active || s.thread == nullptr) {
        // It has ended, and left a greenlet behind, which unwinds now as part of the current tasklet. Or its thread does.
        if (s.current == s.runnable.first()) {  // else that one is in the middle of a switch
            s.end_switching();
        }
        return received;
    }
    Tasklet* other = s.current;  // goes on when this one ends or switches away
    if (other->is_active) {
        other->suspension = Suspension::outside;
    }
    if (received == nullptr && PyErr_ExceptionMatches(s.module->greenlet_exit)) {
        // It is being killed, which makes the killer the parent.
        PyErr_SetString(s.state->tasklet_exit, "Killing the tasklet because all references have vanished.");
        PyGreenlet* killer = s.thread->current->pimpl->parent;
        if (killer != nullptr && core::is_active(killer) && other->is_active) {
            set_greenlet(other, killer);
        }
    }
    s.take_turn(self);
    interpreter::PendingException in_flight;
    clear_outcome(self);
    return received;
}

// The same when it was resumed with an exception, or with the tasklet that has paused. Releases that one, which may end it.
[[gnu::noinline]] PyObject* resumed_by_pause(Tasklet* self, PyObject* received) {
    if (received == nullptr) {
        return nullptr;
    }
    PyObject* value = take_value(self);
    Py_DECREF(received);
    return value;
}

// What a tasklet does first when its greenlet is resumed.
inline PyObject* arrive(Scheduler& s, Tasklet* self, PyObject* received) {
    if (s.current != self) [[unlikely]] {
        return resumed_out_of_turn(s, self, received);
    }
    s.set_switching(false);
    if (received != Py_None) [[unlikely]] {
        return resumed_by_pause(self, received);
    }
    Py_DECREF(received);
    return take_value(self);
}

}  // namespace

bool is_alive(const Tasklet* t) noexcept {
    return t->scheduler->thread != nullptr && (t->is_active ? has_stack(t) : t->arguments != nullptr);
}

void unhold(Tasklet* t) noexcept {
    const Scheduler& s = *t->scheduler;
    bool is_at_home = t->is_active && !t->is_main && t->suspension == Suspension::in_turn && has_stack(t) && t->greenlet == t->first_greenlet;
    // A class with a destructor of its own may not call the one that ends a tasklet.
    bool ends_then = Py_TYPE(t)->tp_finalize == s.state->tasklet_type->tp_finalize;
    if (t->chain != Chain::none || !is_at_home || !ends_then || s.thread == nullptr) {
        return;
    }
    t->suspension = Suspension::unowned;
    if (interpreter::was_finalized(as_object(t))) {
        interpreter::expect_finalizer(as_object(t));
    }
    t->outcome.disown(as_object(t));
    Py_DECREF(t->holder->exchange(nullptr));
}

void hold(Tasklet* t) noexcept {
    if (t->suspension != Suspension::unowned) {
        return;
    }
    t->suspension = Suspension::in_turn;
    t->outcome.own_again(as_object(t));
    if (has_stack(t)) {
        t->holder->exchange(Py_NewRef(as_object(t)));
    }
}

Tasklet* unlink(Tasklet* t) noexcept {
    switch (t->chain) {
        case Chain::runnable:
            t->scheduler->runnable.remove(t);
            return t;
        case Chain::channel:
            t->channel->remove(t);
            return t;
        case Chain::none:
            hold(t);
            break;
    }
    return as_tasklet(Py_NewRef(as_object(t)));
}

// --- the switch ------------------------------------------------------------------------------------------------------

bool make_greenlet(Scheduler& s, Tasklet* t) noexcept {
    PyGreenlet* g = core::create(s.module->greenlet_type, *s.thread);
    if (g == nullptr) {
        return false;
    }
    // The parent is set when it ends. Until then it should not be one that ends earlier and would be kept.
    PyGreenlet* creator = std::exchange(g->pimpl->parent, core::as_greenlet(Py_NewRef(core::as_object(s.thread->main))));
    Py_DECREF(creator);
    g->pimpl->run = Py_NewRef(s.state->run_tasklet);
    Holding lock(tasklets_lock);
    g->pimpl->context = std::exchange(t->context, nullptr);
    t->greenlet = g;
    return true;
}

namespace {

void drop_parting(Scheduler& s) {
    if (s.parting != nullptr) [[unlikely]] {
        interpreter::PendingException in_flight;
        Py_CLEAR(s.parting);
    }
}

// Switches to a tasklet whose greenlet has not begun, has finished, or is the running one: `to` goes on where that returns to then.
PyObject* switch_otherwise(core::Thread& thread, Tasklet* to, interpreter::CallInProgress call) {
    PyObject* argument = core::is_started(to->greenlet) ? Py_None : as_object(to);
    Reference target = Reference::steal(to->greenlet == thread.current ? core::get_parent(thread.current) : nullptr);
    if (!target) {
        target = Reference::to(core::as_object(to->greenlet));
    }
    return core::switch_to(std::move(target), core::Message{&argument, 1}, call);
}

}  // namespace

// What runs on the stack of the current tasklet's own greenlet holds the tasklet. Elsewhere it may have ended when this goes on, and
// nobody else may hold it; as may the main one by what is called besides.
PyObject* Scheduler::go_on(Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept {
    set_switching(true);
    return from->first_greenlet == thread->current && is_plain() ? go_on_held(from, to, call, true) : hold_and_go_on(from, to, call);
}

PyObject* Scheduler::go_on_paused(Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept {
    if (from->is_main || from->first_greenlet != thread->current) {
        Py_DECREF(from);
        return go_on(from, to, call);
    }
    set_switching(true);
    return go_on_held(from, to, call, is_plain(), as_object(from));
}

[[gnu::noinline]] PyObject* Scheduler::hold_and_go_on(Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept {
    if (from->first_greenlet == thread->current && !from->is_main) {
        return go_on_held(from, to, call, is_plain());
    }
    core::GcRoot held(*thread, Reference::borrow(as_object(from)));
    return go_on_held(from, to, call, is_plain());
}

// `pausing`: a reference to `from` that is taken over, if it pauses; else nullptr. Whoever goes on drops it, so that nothing on the
// stack of a paused tasklet holds it.
[[gnu::always_inline]] inline PyObject* Scheduler::go_on_held(Tasklet* from, Tasklet* to, interpreter::CallInProgress call, bool is_plain,
                                                              PyObject* pausing) noexcept {
    Reference dropped = Reference::steal(pausing);
    to = prepare(from, to, is_plain);
    if (to == from) {
        return arrive(*this, from, Py_NewRef(Py_None));
    }
    if (to != nullptr && !is_plain && is_superseded(from)) {
        return give_up_switch(from);
    }
    if (to == nullptr || (to->greenlet == nullptr && !make_greenlet(*this, to))) {
        take_turn(from);
        return nullptr;
    }
    make_current(to);
    from->suspension = Suspension::in_turn;
    set_greenlet(from, thread->current);
    PyObject* value = nullptr;
    if (pausing != nullptr) {
        if (to->suspension != Suspension::outside && (core::is_plain_switch(to->greenlet) || !core::is_started(to->greenlet))) {
            Holding lock(tasklets_lock);
            unhold(from);
            value = dropped.release();
        }
        dropped = Reference();
    }
    if (to->suspension == Suspension::outside) [[unlikely]] {
        to->suspension = Suspension::in_turn;
        set_switching(false);
    }
    PyObject* received;
    if (core::is_plain_switch(to->greenlet)) [[likely]] {
        received = core::transfer(*thread, to->greenlet, value != nullptr ? value : Py_NewRef(Py_None), call);
    }
    else {
        Reference before = Reference::steal(std::exchange(parting, value));
        received = switch_otherwise(*thread, to, call);
        drop_parting(*this);
    }
    return arrive(*this, from, received);
}

PyObject* Scheduler::give_up_switch(Tasklet* from) noexcept {
    bool waits_in_vain = from->chain == Chain::channel;
    PyObject* value = arrive(*this, from, Py_NewRef(Py_None));
    if (waits_in_vain && value != nullptr) {
        Py_DECREF(value);
        return fail("greenlets switched in the middle of this switch");
    }
    return value;
}

[[gnu::noinline]] PyObject* Scheduler::let_go_and_go_on(Tasklet* from, PyObject* unused, PyObject* unused_too,
                                                          interpreter::CallInProgress call) noexcept {
    core::GcRoot held(*thread, Reference::borrow(as_object(from)));
    set_switching(true);  // or it could take what this one is to be resumed with
    Py_XDECREF(unused);
    Py_XDECREF(unused_too);
    Tasklet* next = is_superseded(from) ? from : next_turn(from);
    if (next != nullptr) {
        return is_superseded(from) ? give_up_switch(from) : go_on(from, next, call);
    }
    take_turn(from);
    clear_outcome(from);
    return nullptr;
}

PyObject* Scheduler::pause_current(interpreter::CallInProgress call) noexcept {
    Tasklet* self = current;
    {
        Holding lock(tasklets_lock);
        runnable.remove(self);
    }
    Py_DECREF(self);
    return !runnable.is_empty() ? go_on(self, runnable.first(), call) : let_go_and_go_on(self, nullptr, nullptr, call);
}

PyObject* Scheduler::pause(interpreter::CallInProgress call) noexcept {
    Tasklet* self = current;
    if (self->is_main || self->first_greenlet != thread->current) {
        return pause_current(call);
    }
    {
        Holding lock(tasklets_lock);
        runnable.remove(self);
    }
    Tasklet* next = runnable.first();
    if (next == nullptr) {
        set_switching(true);
        next = next_turn(self);
        if (next == nullptr || is_superseded(self)) {
            Reference chained = Reference::steal(as_object(self));
            if (next != nullptr) {
                return give_up_switch(self);
            }
            take_turn(self);
            clear_outcome(self);
            return nullptr;
        }
    }
    return go_on_paused(self, next, call);
}

void Scheduler::take_turn(Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    runnable.prepend(unlink(t));
    current = t;
    upcoming = nullptr;
    end_switching();
}

void Scheduler::raise_in(Tasklet* t, PyObject* exception) noexcept {
    Outcome old;
    Holding lock(tasklets_lock);
    old = t->outcome.exchange(Outcome::error(exception));
    runnable.prepend(unlink(t));
}

// The first one of the ring, which other threads leave alone from now on: until then they may have taken it out of the ring.
Tasklet* Scheduler::reserve_next(Tasklet* from) noexcept {
    do {
        Holding lock(tasklets_lock);
        upcoming = runnable.first();
    } while (upcoming == nullptr && next_turn(from) != nullptr);
    return upcoming;
}

[[gnu::noinline]] Tasklet* Scheduler::prepare_otherwise(Tasklet* from, Tasklet* to) noexcept {
    if (watchdog != nullptr) {
        to = watch(from, to);
    }
    {
        Reference held = Reference::borrow(as_object(to));  // what is called may end it
        if (from != to) {
            call_schedule_callback(from, to);
        }
        if (has_hooks && from != to) {
            exchange_hooks(*this, from, to);
        }
        if (thread == nullptr) {
            PyErr_SetString(PyExc_RuntimeError, "the thread ends, so it can't switch");
            return nullptr;
        }
        if (is_runnable_here(to)) {
            return to;
        }
    }
    return next_turn(from);  // chosen when nothing more is let go of, which might end it
}

Tasklet* Scheduler::watch(Tasklet* from, Tasklet* to) noexcept {
    Run& run = *watchdog;
    std::int64_t now = watchdog::now();
    bool over = now >= run.deadline && from != run.tasklet && to != run.tasklet;
    if (!run.is_total) {
        run.deadline = now + run.timeout;
    }
    if (!over || !(run.is_soft || run.is_total || (!run.has_alarm && from->chain == Chain::runnable))) {
        return to;
    }
    Reference before;
    Holding lock(tasklets_lock);
    if (!run.is_soft) {
        before = Reference::steal(as_object(std::exchange(run.interrupted, unlink(run.is_total ? to : from))));
    }
    runnable.prepend(unlink(run.tasklet));
    return run.tasklet;
}

// There is nobody to raise an error of the callback in: `from` may have ended.
void Scheduler::call_schedule_callback(Tasklet* from, Tasklet* to) noexcept {
    Reference callback = state->get(&State::schedule_callback);
    if (!callback) {
        return;
    }
    Reference result = Reference::steal(
        PyObject_CallFunctionObjArgs(callback.get(), as_object(from), as_object(to), nullptr));
    if (!result) {
        PyErr_WriteUnraisable(callback.get());
    }
}

bool Scheduler::refuse_switch() noexcept {
    if (thread->is_on_own_stack()) {
        core::refuse_switch_on_own_stack(PyExc_RuntimeError);
        return false;
    }
    if (is_switching()) {
        PyErr_SetString(PyExc_RuntimeError, "no switch is possible here: another one is in progress");
        return false;
    }
    PyErr_Format(PyExc_RuntimeError,
                 "switch_trap: no tasklet can be switched to, because stackless.switch_trap() was called to forbid it; "
                 "stackless.switch_trap(-%d) allows it again",
                 switch_trap);
    return false;
}

// --- nobody is runnable ----------------------------------------------------------------------------------------------

namespace {

// Raises a RuntimeError that says why the thread is stuck, and who waits for what.
void raise_stuck(const Scheduler& s, const char* message) noexcept {
    Reference waiting = who_waits(s);
    if (waiting) {
        PyErr_Format(PyExc_RuntimeError, "%s%U", message, waiting.get());
    }
    else {
        PyErr_SetString(PyExc_RuntimeError, message);
    }
}

}  // namespace

Tasklet* Scheduler::wake_somebody(Tasklet* leaving) noexcept {
    set_switching(true);  // handlers of signals may run here
    bool has_ended = !leaving->is_active;
    for (;;) {
        Tasklet* candidate = sleeper();
        Run* run = runs;
        bool in_run = run != nullptr;
        bool is_stuck = !in_run && (candidate == leaving || candidate->chain == Chain::channel);
        // A run() that blocks the thread returns nevertheless when a tasklet ends: that may be what its caller waits for.
        if ((is_stuck || (in_run && run->blocks_thread && !has_ended)) && somebody_may_run()) {
            if (!wait_for_others()) {
                return nullptr;
            }
            if (!runnable.is_empty()) {
                return runnable.first();
            }
            continue;
        }
        if (is_stuck && !has_ended) {
            raise_stuck(*this, deadlock);
            return nullptr;
        }
        if (is_stuck) {
            raise_stuck(*this, candidate->sends ? nobody_receives : nobody_sends);
            raise_in(candidate, interpreter::take_exception());
            if (!runnable.is_empty()) {  // the candidate, unless dropping the value it had has ended it
                return runnable.first();
            }
            continue;
        }
        Holding lock(tasklets_lock);
        if (runnable.is_empty()) {
            runnable.append(unlink(candidate));
        }
        return runnable.first();
    }
}

// Has another thread made a tasklet of this one runnable, or could one?
bool Scheduler::somebody_may_run() noexcept {
    Py_ssize_t others = -1;
    interpreter::for_each_thread([&others](unsigned long) { ++others; });
    Holding lock(tasklets_lock);
    if (!runnable.is_empty() || layer_object(*thread).has_ended) {
        return !runnable.is_empty();
    }
    for (Scheduler* s = state->schedulers; s != nullptr; s = s->next_scheduler) {
        if (s != this && s->waits && s->runnable.is_empty()) {
            --others;
        }
    }
    return others > 0;
}

bool Scheduler::wait_for_others() noexcept {
    {
        Holding lock(tasklets_lock);
        if (!runnable.is_empty()) {
            return true;
        }
        waits = true;
    }
    bool is_acquired;
    Py_BEGIN_ALLOW_THREADS
    is_acquired = PyThread_acquire_lock_timed(wake_up, patience_in_microseconds, 1) == PY_LOCK_ACQUIRED;
    Py_END_ALLOW_THREADS
    {
        Holding lock(tasklets_lock);
        waits = false;
        if (is_woken && !is_acquired) {
            PyThread_acquire_lock(wake_up, NOWAIT_LOCK);
        }
        is_woken = false;
    }
    return PyErr_CheckSignals() == 0;
}

// --- the life of a tasklet on its greenlet ---------------------------------------------------------------------------

void Scheduler::add_active(Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    t->is_active = true;
    active.prepend(t);
}

void Scheduler::remove_active(Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    forget_active(t);
}

void Scheduler::forget_active(Tasklet* t) noexcept {
    t->is_active = false;
    t->suspension = Suspension::in_turn;
    active.remove(t);
    forget_runs(t);
}

namespace {

// What is left of the exception that ended a tasklet: nothing if it is one that only ends it, or if the error handler
// deals with it.
void handle_error(Scheduler& s, Reference& exception) {
    if (PyErr_GivenExceptionMatches(exception.get(), s.state->tasklet_exit) ||
        PyErr_GivenExceptionMatches(exception.get(), s.module->greenlet_exit)) {
        exception = Reference();
        return;
    }
    if (Reference handler = s.state->get(&State::error_handler)) {
        Reference traceback = Reference::steal(PyException_GetTraceback(exception.get()));
        PyObject* arguments[] = {reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get(),
                                 traceback ? traceback.get() : Py_None};
        Reference result = Reference::steal(PyObject_Vectorcall(handler.get(), arguments, 3, nullptr));
        exception = Reference::steal(result ? nullptr : interpreter::take_exception());
    }
}

// Decides who goes on when the current tasklet has ended: the parent of its greenlet. Returns the result of the latter.
PyObject* pass_on(Scheduler& s, Tasklet* self, Reference exception) {
    {
        Holding lock(tasklets_lock);
        unlink(self);
    }
    Py_DECREF(self);
    s.set_switching(true);
    for (;;) {
        if (exception) {
            s.raise_in(s.sleeper(), exception.release());
        }
        Tasklet* next = s.next_turn(self);
        if (next != nullptr) {
            next = s.prepare(self, next, s.is_plain());
        }
        if (s.thread == nullptr) [[unlikely]] {  // it ends, and with it this greenlet
            PyErr_Clear();
            return Py_NewRef(Py_None);
        }
        s.set_switching(true);  // greenlets may have switched meanwhile
        if (next == nullptr || (next->greenlet == nullptr && !make_greenlet(s, next))) {
            exception = Reference::steal(interpreter::take_exception());
            continue;
        }
        bool is_started = core::is_started(next->greenlet);
        s.make_current(next);
        core::set_successor(s.thread->current, next->greenlet);
        clear_hooks(self->hooks);
        if (next->suspension == Suspension::outside) {
            next->suspension = Suspension::in_turn;
            s.set_switching(false);
        }
        return Py_NewRef(is_started ? Py_None : as_object(next));
    }
}

}  // namespace

PyObject* run_tasklet(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
    Scheduler* running = Scheduler::running();
    if (running == nullptr) {
        return nullptr;
    }
    Scheduler& s = *running;
    bool is_tasklet = count == 1 && PyObject_TypeCheck(args[0], s.state->tasklet_type);
    Tasklet* self = is_tasklet ? as_tasklet(args[0]) : nullptr;
    if (self == nullptr || self->greenlet != s.thread->current || self->is_active) {
        return fail("only a scheduler runs tasklets");
    }
    // Nothing else on this stack holds it.
    core::GcRoot holder(*s.thread, Reference::steal(std::exchange(const_cast<PyObject**>(args)[0], Py_NewRef(Py_None))));
    self->first_greenlet = s.thread->current;
    self->holder = &holder;
    s.add_active(self);
    Reference result = Reference::steal(arrive(s, self, Py_NewRef(Py_None)));
    drop_parting(s);
    if (result) {
        result = Reference::steal(PyObject_Call(self->function, self->arguments, self->keywords));
    }
    Reference exception = Reference::steal(result ? nullptr : interpreter::take_exception());
    result = Reference();
    if (exception) {
        handle_error(s, exception);
    }
    unbind(self);  // what runs because of that can't bind it anew yet
    Reference greenlet;
    {
        Holding lock(tasklets_lock);
        s.forget_active(self);
        self->first_greenlet = nullptr;
        self->holder = nullptr;
        greenlet = Reference::steal(core::as_object(std::exchange(self->greenlet, nullptr)));
    }
    if (s.current != self) [[unlikely]] {
        // Greenlets switched to this one while the tasklet waited in another one: they go on.
        Tasklet* removed;
        {
            Holding lock(tasklets_lock);
            removed = unlink(self);
        }
        Py_DECREF(removed);
        if (!exception) {
            return Py_NewRef(Py_None);
        }
        interpreter::put_exception(exception.release());
        return nullptr;
    }
    return pass_on(s, self, std::move(exception));
}

// --- run() -----------------------------------------------------------------------------------------------------------

// Those that greenlets of an ended tasklet are still in.
void Scheduler::forget_runs(const Tasklet* t) noexcept {
    for (Run** place = &runs; *place != nullptr;) {
        Run* run = *place;
        if (run->tasklet != t) {
            place = &run->outer;
            continue;
        }
        if (run == watchdog) {
            stop_watchdog();
        }
        *place = run->outer;
    }
}

void Scheduler::stop_watchdog() noexcept {
    if (watchdog->has_alarm) {
        watchdog::set_alarm(0);
    }
    watchdog = nullptr;
    interrupt_is_due = false;
}

// If others were called later and wait for their return, they do so when it is their turn, which comes.
void Scheduler::end(const Run& run) noexcept {
    Run* inner = runs;
    while (inner != nullptr && inner != &run) {
        inner = inner->outer;
    }
    if (inner == nullptr) {
        return;  // it has ended with another one, or its tasklet has
    }
    Holding lock(tasklets_lock);
    do {
        inner = std::exchange(runs, runs->outer);
        if (inner == watchdog) {
            stop_watchdog();
        }
        if (inner->tasklet->chain == Chain::none) {
            runnable.append(unlink(inner->tasklet));
        }
    } while (inner != &run);
}

PyObject* run_others(Scheduler& s, Run& run, interpreter::CallInProgress call) noexcept {
    run.has_alarm = run.timeout > 0 && !run.is_soft && watchdog::prepare(*s.state);  // may run other tasklets, like the next line
    s.thread->run_kill_queue();
    if (!s.may_switch()) {
        return nullptr;
    }
    if (s.runnable.count() == 1 && !run.blocks_thread) {
        Py_RETURN_NONE;
    }
    run.tasklet = as_tasklet(Py_NewRef(as_object(s.current)));  // which is in no chain, and yet no garbage
    {
        Holding lock(tasklets_lock);
        run.outer = std::exchange(s.runs, &run);
    }
    if (run.timeout > 0 && s.watchdog == nullptr) {
        run.deadline = watchdog::now() + run.timeout;
        s.watchdog = &run;
        if (run.has_alarm) {
            watchdog::set_alarm(run.deadline);
        }
    }
    PyObject* value = s.pause_current(call);
    s.end(run);
    Py_DECREF(run.tasklet);
    if (run.interrupted != nullptr) {
        Py_XDECREF(value);
        {
            Holding lock(tasklets_lock);
            unhold(run.interrupted);
        }
        value = value != nullptr ? Py_NewRef(as_object(run.interrupted)) : nullptr;
        Py_CLEAR(run.interrupted);
    }
    return value;
}

bool Scheduler::interrupt() noexcept {
    thread->run_kill_queue();  // which may run other tasklets
    interrupt_is_due = false;
    if (watchdog == nullptr || current == watchdog->tasklet || watchdog->is_soft) {
        return true;
    }
    std::int64_t now = watchdog::now();
    if (now < watchdog->deadline || is_switching()) {
        watchdog::set_alarm(is_switching() ? now + std::max(watchdog->timeout, least_delay) : watchdog->deadline);
        return true;
    }
    if (current->atomic || switch_trap > 0) {
        interrupt_is_due = true;
        return true;
    }
    Tasklet* self = current;
    Reference before;
    {
        Holding lock(tasklets_lock);
        runnable.remove(self);
        before = Reference::steal(as_object(std::exchange(watchdog->interrupted, self)));
        runnable.prepend(unlink(watchdog->tasklet));
    }
    PyObject* value = go_on(self, runnable.first(), {});
    Py_XDECREF(value);
    return value != nullptr;
}

// --- the life of a scheduler -----------------------------------------------------------------------------------------

void kill_active(Scheduler& s) noexcept {
    s.switch_trap = 0;
    for (int round = 0; round < 10 && s.active.first() != nullptr; ++round) {
        Reference list = Reference::steal(PyList_New(0));
        for (Tasklet* t = s.active.first(); t != nullptr; t = s.active.after(t)) {
            if (!list || PyList_Append(list.get(), as_object(t)) < 0) {
                PyErr_WriteUnraisable(nullptr);
                return;
            }
        }
        for (Py_ssize_t i = PyList_GET_SIZE(list.get()); i-- > 0;) {
            Tasklet* t = as_tasklet(PyList_GET_ITEM(list.get(), i));
            if (!t->is_active || t == s.current) {
                continue;
            }
            PyObject* exit = make_exception(s.state->tasklet_exit);
            Reference done = Reference::steal(exit != nullptr ? throw_into(t, exit, false) : nullptr);
            if (!done) {
                PyErr_WriteUnraisable(as_object(t));
            }
        }
    }
}

namespace {

// From here on the thread has another one, if any, and others know that this one has ended.
void leave_thread(Scheduler& s) {
    Holding lock(tasklets_lock);
    for (Scheduler** place = &s.state->schedulers; *place != nullptr; place = &(*place)->next_scheduler) {
        if (*place == &s) {
            *place = s.next_scheduler;
            break;
        }
    }
    layer_object(*s.thread).object = nullptr;
    layer_object(*s.thread).has_ended = true;
    s.thread = nullptr;
}

// A tasklet that is still in a chain though the thread ends, taken out: it is runnable, or did not let itself be killed and waits
// on a channel. nullptr if there is none.
Tasklet* take_leftover(Scheduler& s) {
    Holding lock(tasklets_lock);
    if (!s.runnable.is_empty()) {
        return unlink(s.runnable.first());
    }
    for (Tasklet* t = s.active.first(); t != nullptr; t = s.active.after(t)) {
        if (t->chain == Chain::channel) {
            return unlink(t);
        }
    }
    return nullptr;
}

// The thread ends. Called while it can still run Python code, unless the interpreter or another thread ends it.
void finalize(PyObject* self) {
    Scheduler& s = *as_scheduler(self);
    if (s.thread == nullptr) {
        return;
    }
    s.set_switching(false);
    interpreter::PendingException in_flight;
    bool is_finalizing = interpreter::is_finalizing();
    if (!is_finalizing && interpreter::current_thread_state() == s.thread->thread_state) {
        kill_active(s);
    }
    leave_thread(s);
    Reference released = Reference::steal(self);
    if (is_finalizing) {
        return;  // what it holds goes with the process
    }
    while (Tasklet* t = take_leftover(s)) {
        Py_DECREF(t);
    }
    if (s.main != nullptr) {
        s.main->is_active = false;
    }
    s.current = nullptr;
    Py_CLEAR(s.main);
    Py_CLEAR(s.parting);
}

void deallocate(PyObject* self) {
    Scheduler& s = *as_scheduler(self);
    if (s.wake_up != nullptr) {
        PyThread_release_lock(s.wake_up);
        PyThread_free_lock(s.wake_up);
    }
    clear_hooks(s.shared_hooks);
    core::ModuleState* module = s.module;
    PyTypeObject* type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
    module->unref();
}

PyType_Slot slots[] = {
    {Py_tp_finalize, reinterpret_cast<void*>(finalize)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet._greenlet.Scheduler", sizeof(Scheduler), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots,
};

}  // namespace

PyObject* make_scheduler_type() noexcept { return PyType_FromSpec(&spec); }

Scheduler* Scheduler::make(core::Thread& thread) noexcept {
    interpreter::PendingException in_flight;
    State* state = &layer.of(*thread.module);
    auto* s = reinterpret_cast<Scheduler*>(state->scheduler_type->tp_alloc(state->scheduler_type, 0));
    if (s == nullptr) {
        in_flight.discard();
        return nullptr;
    }
    s->module = thread.module;
    s->module->owners.add();
    s->state = state;
    s->thread_id = thread.identity;
    s->wake_up = PyThread_allocate_lock();
    s->main = s->wake_up != nullptr ? make_tasklet(state->tasklet_type, *s) : nullptr;
    if (s->main == nullptr) {
        in_flight.discard();
        if (!PyErr_Occurred()) {
            PyErr_NoMemory();
        }
        Py_DECREF(s);
        return nullptr;
    }
    PyThread_acquire_lock(s->wake_up, NOWAIT_LOCK);
    s->thread = &thread;
    s->main->is_main = true;
    s->main->is_active = true;
    s->main->first_greenlet = thread.main;
    set_greenlet(s->main, thread.current);
    s->current = s->main;
    Holding lock(tasklets_lock);
    s->runnable.append(as_tasklet(Py_NewRef(as_object(s->main))));
    s->next_scheduler = std::exchange(state->schedulers, s);
    layer_object(thread).object = reinterpret_cast<PyObject*>(s);
    return s;
}

Reference Scheduler::of_thread(State& state, unsigned long thread_id) noexcept {
    auto find = [&state, thread_id]() noexcept {
        Holding lock(tasklets_lock);
        Scheduler* s = state.schedulers;
        while (s != nullptr && s->thread_id != thread_id) {
            s = s->next_scheduler;
        }
        return Reference::borrow(reinterpret_cast<PyObject*>(s));
    };
    Reference found = find();
    PyThreadState* ts = !found ? interpreter::thread_state_of(thread_id) : nullptr;
    if (ts == nullptr) {
        return found;
    }
    interpreter::CollectorPaused paused;
    core::Thread* thread = core::Thread::of(ts);
    if (thread != nullptr && layer_object(*thread).object == nullptr && !layer_object(*thread).has_ended) {
        make(*thread);
    }
    PyErr_Clear();
    return find();
}

}  // namespace stackless
