// The scheduler of a thread: its runnable tasklets, the current one among them, and the state of a switch.

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

// Where core stores the thread's scheduler.
inline core::LayerObject& layer_object(core::Thread& thread) noexcept { return thread.layer_objects[layer.number]; }

struct Scheduler {
    PyObject_HEAD
    core::Thread* thread;       // nullptr once the thread has ended
    core::ModuleState* module;  // shared
    State* state;               // of `module`
    Tasklet* main;              // owned, while the thread lives
    Tasklet* current;           // the running tasklet
    Tasklet* upcoming;          // the tasklet that is being switched to; nullptr with a GIL
    Runnable runnable;
    ActiveRing active;      // the newest first
    PyObject* to_release;   // owned; a tasklet that has paused. The one that begins to run releases it
    Run* runs;              // the innermost run()
    Run* watchdog;          // the run() with a timeout
    long switch_trap;       // above zero: switches are refused
    Hooks shared_hooks;     // of the tasklets without their own; recorded while a tasklet with its own runs
    bool has_hooks;         // true once a tasklet has had its own
    bool interrupt_is_due;  // to be done once the current tasklet is no longer atomic
    bool waits;             // for other threads, on `wake_up`
    bool is_woken;
    unsigned long thread_id;
    PyThread_type_lock wake_up;  // held; another thread releases it to wake this one
    Scheduler* next_scheduler;   // in the list of the interpreter

    // The scheduler of the running thread, made if there is none. nullptr with an exception if that fails.
    static Scheduler* running() noexcept {
        core::Thread* thread = core::Thread::running();
        if (thread != nullptr && layer_object(*thread).object != nullptr) [[likely]] {
            return reinterpret_cast<Scheduler*>(layer_object(*thread).object);
        }
        return thread != nullptr ? make(*thread) : nullptr;
    }

    // The scheduler of the thread with this identifier, made if there is none. Empty, without an exception, if there is
    // no such thread; without a GIL also if the thread has not used tasklets yet.
    static core::Reference of_thread(State& state, unsigned long thread_id) noexcept;

    // True if the current tasklet may switch. If not, sets RuntimeError.
    bool may_switch() noexcept { return (switch_trap <= 0 && !is_switching()) || refuse_switch(); }

    // True while a switch is in progress. Code that runs meanwhile, such as a callback or a destructor, can't begin
    // another one.
    bool is_switching() const noexcept { return thread->postpones_kills; }
    void set_switching(bool switching) noexcept { thread->postpones_kills = switching; }

    // May also be called when the thread has ended.
    void end_switching() noexcept {
        if (thread != nullptr) {
            set_switching(false);
        }
    }

    // True if the switch of `from` is no longer the one in progress, because greenlets switched meanwhile.
    bool is_superseded(const Tasklet* from) const noexcept {
        return thread == nullptr || current != from || !is_switching();
    }

    // True if no watchdog, callback or hook is set.
    bool is_plain() const noexcept { return watchdog == nullptr && !has_hooks && state->schedule_callback == nullptr; }

    bool is_runnable_here(const Tasklet* t) const noexcept {
        return t->chain == Chain::runnable && t->scheduler == this;
    }

    // The last step before the stacks are switched.
    void make_current(Tasklet* t, Tasklet* from = nullptr) noexcept {
        interpreter::Holding lock(tasklets_lock);
        if (from != nullptr) {
            from->suspension = Suspension::in_turn;  // before another thread may unlink it
        }
        current = t;
        if constexpr (!interpreter::has_gil) {
            upcoming = nullptr;
        }
    }

    // True in the thread of this scheduler. The lock is held.
    bool is_running_thread() const noexcept {
        return thread != nullptr && thread->thread_state == interpreter::current_thread_state();
    }

    // True if the thread runs the tasklet. For other threads also if it is about to. The lock is held.
    bool is_busy_with(const Tasklet* t) const noexcept {
        return current == t || (upcoming == t && !is_running_thread());
    }

    // Links a tasklet of this thread that is in no chain into the ring of runnable ones. Takes ownership of a
    // reference. `is_next`: it runs before the others. Any thread may call this. The lock is held.
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

private:
    // Makes a runnable tasklet other than the current one the next to run when the current one switches.
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
};

inline PyObject* as_object(Scheduler* s) noexcept { return reinterpret_cast<PyObject*>(s); }
inline Scheduler* as_scheduler(PyObject* object) noexcept { return reinterpret_cast<Scheduler*>(object); }

// --- a tasklet and its scheduler ---

// Makes an unbound tasklet of the scheduler's thread. nullptr with MemoryError if there is no memory.
Tasklet* make_tasklet(PyTypeObject* type, Scheduler& scheduler) noexcept;

// The scheduler of a tasklet of the running thread. nullptr, without an exception, if it belongs to another thread, or
// to one that has ended.
Scheduler* own_scheduler(const Tasklet& t) noexcept;

// True if the tasklet is the current one of the running thread.
bool is_current_here(const Tasklet& t) noexcept;

bool has_ended_thread(const Tasklet& t) noexcept;

// True if the tasklet can run, now or once it is inserted. False if its thread has ended. The lock is held.
bool is_alive_locked(const Tasklet* t) noexcept;

// The same; acquires the lock.
bool is_alive(const Tasklet& t) noexcept;

}  // namespace stackless
