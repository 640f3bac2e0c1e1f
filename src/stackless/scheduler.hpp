// The scheduler of a thread: the ring of its runnable tasklets, the current one first, and the switch from one to
// another.
//
// A switch takes three steps, and between them the ring is not in order, so no other code may run there:
//
//     remove()      takes the current tasklet out of the ring, unless it stays runnable
//     next_turn()   finds out whose turn it is then, and puts it first
//     go_on()       switches; returns when it is the turn of the one that called it
//
// What a tasklet is resumed with lies in its `value`; the value that passes through the greenlets says nothing. A
// greenlet can be resumed by others than the scheduler, most of all to be killed. So each tasklet looks when it goes on
// whether it is the current one; if not, it makes itself so (take_turn()), and whoever was is next.

#pragma once

#include "core/thread.hpp"
#include "core/transfer.hpp"
#include "interpreter/thread_state.hpp"
#include "interpreter/threading/lock.hpp"
#include "stackless/runnable.hpp"
#include "stackless/state.hpp"
#include "stackless/tasklet.hpp"

#include <pythread.h>

namespace stackless {

struct Run;

// Where the thread's scheduler is.
inline core::LayerObject& layer_object(core::Thread& thread) noexcept { return thread.layer_objects[layer.number]; }

struct Scheduler {
    PyObject_HEAD
    core::Thread* thread;       // nullptr once it has ended
    core::ModuleState* module;  // shared
    State* state;               // of `module`
    Tasklet* main;              // owned, while the thread lives
    Tasklet* current;           // the one that runs
    Tasklet* upcoming;          // the one that is being switched to; only where threads do not take turns
    Runnable runnable;
    ActiveRing active;      // the newest first
    PyObject* parting;      // owned; a paused tasklet, which the one that begins to run releases
    Run* runs;              // the innermost run()
    Run* watchdog;          // the one with a timeout
    long switch_trap;       // above zero: no switches
    Hooks shared_hooks;     // of the tasklets without their own, while one with its own runs
    bool has_hooks;         // some tasklet has had its own
    bool interrupt_is_due;  // when the current tasklet is atomic no more
    bool waits;             // for other threads, below
    bool is_woken;
    unsigned long thread_id;
    PyThread_type_lock wake_up;  // held but for the moment when another thread makes a tasklet of this one runnable
    Scheduler* next_scheduler;   // in the list of the interpreter

    // The running thread's. nullptr with an exception if there was none and it could not be made.
    static Scheduler* running() noexcept {
        core::Thread* thread = core::Thread::running();
        if (thread != nullptr && layer_object(*thread).object != nullptr) [[likely]] {
            return reinterpret_cast<Scheduler*>(layer_object(*thread).object);
        }
        return thread != nullptr ? make(*thread) : nullptr;
    }

    // That of the thread with this identifier. Empty, without an exception, if there is no such thread; or if it has
    // not used tasklets yet, and threads do not take turns.
    static core::Reference of_thread(State& state, unsigned long thread_id) noexcept;

    // Is the current tasklet allowed to switch? If not, sets RuntimeError.
    bool may_switch() noexcept { return (switch_trap <= 0 && !is_switching()) || refuse_switch(); }

    // Is a switch in progress? What runs then, such as a callback or a destructor, can't begin another one.
    bool is_switching() const noexcept { return thread->postpones_kills; }
    void set_switching(bool switching) noexcept { thread->postpones_kills = switching; }
    void end_switching() noexcept {  // also if the thread has ended meanwhile
        if (thread != nullptr) {
            set_switching(false);
        }
    }

    // --- the steps of a switch ---

    // Whose turn it is when `leaving` has left the ring: the first one, put there if need be. `leaving` itself if
    // nothing else remains and it was in run(). nullptr with an exception, if it can't leave: RuntimeError for a
    // deadlock, or what was raised while waiting for other threads.
    Tasklet* next_turn(Tasklet* leaving) noexcept {
        Tasklet* next = runnable.first();
        return next != nullptr ? next : wake_somebody(leaving);
    }

    // Switches from the current tasklet to the first one of the ring. Returns the value that the former is resumed
    // with, or nullptr with an exception, also if there was no memory to start the latter.
    PyObject* go_on(Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept;

    // The same to whose turn it is, after letting go of what nobody needs, which may run anything. Takes over the
    // references, which may be nullptr.
    PyObject* let_go_and_go_on(Tasklet* from, PyObject* unused, PyObject* unused_too,
                               interpreter::CallInProgress call) noexcept;

    // The current tasklet leaves the ring for no other chain, and the next one goes on.
    PyObject* pause_current(interpreter::CallInProgress call) noexcept;

    // The same, and the last reference of others ends it until it goes on.
    PyObject* pause(interpreter::CallInProgress call) noexcept;

    // go_on() from a tasklet that has left the ring so, whose reference it takes over.
    PyObject* go_on_paused(Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept;

    // Makes a tasklet the current one out of its turn, wherever it was.
    void take_turn(Tasklet* t) noexcept;

    // Raises an error in another tasklet of this thread that is suspended, and puts it first. Takes over the reference
    // to the exception. For the steps of a switch.
    void raise_in(Tasklet* t, PyObject* exception) noexcept;

    // The tasklet that goes on if nobody else can, and that errors of tasklets are raised in: the one that called run()
    // last, or the main one.
    Tasklet* sleeper() const noexcept;

    // What there may be to do before a switch besides: for the watchdog, the schedule callback and trace functions.
    // Returns the tasklet to switch to, or nullptr with an exception if there is none any more.
    Tasklet* prepare(Tasklet* from, Tasklet* to, bool is_plain) noexcept {
        if constexpr (!interpreter::has_gil) {
            to = reserve_next(from);
        }
        if (!is_plain && to != nullptr) [[unlikely]] {
            to = prepare_otherwise(from, to);
        }
        if constexpr (!interpreter::has_gil) {
            return to != nullptr ? reserve_next(from) : nullptr;
        }
        // What was called since it was chosen may have ended it, made it wait, put another one first, or let another
        // thread take it.
        return to == nullptr || runnable.first() == to ? to : next_turn(from);
    }

    // Did greenlets switch in the middle of a switch of `from`, so that it is not in progress any more, or another one
    // is?
    bool is_superseded(const Tasklet* from) const noexcept {
        return thread == nullptr || current != from || !is_switching();
    }

    // Is there nothing of that to do?
    bool is_plain() const noexcept { return watchdog == nullptr && !has_hooks && state->schedule_callback == nullptr; }

    bool is_runnable_here(const Tasklet* t) const noexcept {
        return t->chain == Chain::runnable && t->scheduler == this;
    }

    // The last step before the stacks are switched.
    void make_current(Tasklet* t, Tasklet* from = nullptr) noexcept {
        interpreter::Holding lock(tasklets_lock);
        if (from != nullptr) {
            from->suspension = Suspension::in_turn;  // before another thread may take it out of the ring
        }
        current = t;
        if constexpr (!interpreter::has_gil) {
            upcoming = nullptr;
        }
    }

    // Is it the running thread's? The lock is held.
    bool is_running_thread() const noexcept {
        return thread != nullptr && thread->thread_state == interpreter::current_thread_state();
    }

    // Does the thread run it? Or is it about to, if it is another thread that asks? The lock is held.
    bool is_busy_with(const Tasklet* t) const noexcept {
        return current == t || (upcoming == t && !is_running_thread());
    }

    // --- others ---

    // Makes a tasklet of this thread runnable that was in no chain. For any thread to call, which holds tasklets_lock.
    // Takes over a reference. `is_next`: before the others.
    void make_runnable(Tasklet* t, bool is_next = false) noexcept {
        runnable.append(t);
        if (is_next) {
            make_next(t);
        }
        if (waits && !is_woken) {
            is_woken = true;
            PyThread_release_lock(wake_up);
        }
    }

    // The watchdog's alarm went off: interrupts the current tasklet if it has run for too long. False with an exception
    // if one was raised in it meanwhile.
    bool interrupt() noexcept;

    void add_active(Tasklet* t) noexcept;
    void remove_active(Tasklet* t) noexcept;
    void forget_active(Tasklet* t) noexcept;  // the same, while the lock is held

    // A run() returns.
    void end(const Run& run) noexcept;

private:
    // Has a runnable tasklet that is not the current one go on first when that one switches away.
    void make_next(Tasklet* t) noexcept {
        if (waits) {
            runnable.rotate_to(t);
        }
        else if (runnable.count() > 2) {
            runnable.move_to_second(t);
        }
    }

    static Scheduler* make(core::Thread& thread) noexcept;
    bool refuse_switch() noexcept;
    Tasklet* prepare_otherwise(Tasklet* from, Tasklet* to) noexcept;
    Tasklet* reserve_next(Tasklet* from) noexcept;
    PyObject* go_on_held(Tasklet* from, Tasklet* to, interpreter::CallInProgress call, bool is_plain,
                         PyObject* pausing = nullptr) noexcept;
    PyObject* hold_and_go_on(Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept;
    PyObject* give_up_switch(Tasklet* from) noexcept;
    void stop_watchdog() noexcept;
    void forget_runs(const Tasklet* t) noexcept;
    Tasklet* watch(Tasklet* from, Tasklet* to) noexcept;
    void call_schedule_callback(Tasklet* from, Tasklet* to) noexcept;
    Tasklet* wake_somebody(Tasklet* leaving) noexcept;
    bool wait_for_others() noexcept;
    bool somebody_may_run() noexcept;
};

inline PyObject* as_object(Scheduler* s) noexcept { return reinterpret_cast<PyObject*>(s); }
inline Scheduler* as_scheduler(PyObject* object) noexcept { return reinterpret_cast<Scheduler*>(object); }

}  // namespace stackless
