// A thread that has greenlets.
//
// Greenlets belong to a PyThreadState rather than to an operating-system thread: one thread may take turns with several
// interpreters, and a foreign thread gets a new thread state at each PyGILState_Ensure. A Thread is made when a thread
// state first uses greenlets. It is kept alive by the thread state's dictionary and by the greenlets it started.
//
// The end of a thread. CPython clears the dictionary of the thread state while the thread can still run Python code, and that
// ends the Thread: greenlets that are only kept alive by a cycle of references are collected, with their `finally`
// blocks run, and those that nothing can resume any more are let go of. A greenlet that somebody else still holds
// stays as it was, suspended for ever, until that reference goes too.

#pragma once

#include <atomic>

#include "core/greenlet.hpp"
#include "core/notes.hpp"
#include "interpreter/thread_state.hpp"
#include "interpreter/threading/shared_count.hpp"
#include "stackful/cache.hpp"

namespace core {

// What keeps switches from taking the shortest way. A bit each.
enum Obstacle : unsigned {
    kills_wait = 1,   // greenlets that others released are to be killed first
    on_own_stack = 2  // a function runs on the thread's own stack, below a greenlet that is suspended there: no switch can be made
};

// An object that a layer above core keeps for each thread (core/layer.hpp). Its finalizer is called while the thread can
// still run Python code; it takes the object off the thread.
struct LayerObject {
    PyObject* object;  // owned
    bool has_ended;    // the thread ends, and its object has been finalized once
};

struct Thread {
    interpreter::SharedValue<PyThreadState*> thread_state;  // nullptr once the thread has ended
    interpreter::SharedValue<PyGreenlet*> current;          // owned; the greenlet that runs
    PyGreenlet* origin;            // owned; the one that switched, until its successor has taken notice
    Activation* finished_activation;           // of one that finished, whose stack its successor returns
    PyObject* tracer;              // owned; called at each switch, or nullptr
    std::atomic<unsigned> obstacles{0};  // set by any thread
    PyGreenlet* to_kill;           // owned; the first of those that others released. Each owns the next one
    PyGreenlet* last_to_kill;      // changed, like the first one, while `after_end` is held
    stackful::StackCache stacks{stackful::minimum_stack_size};  // until the settings are looked at
    std::size_t stack_settings;    // what they were when `stacks` was last told
    ModuleState* module;           // shared
    bool postpones_kills;          // a switch of several steps is in progress: no greenlet can be killed at once
    LayerObject layer_objects[layer_count];  // of the layers above core, by number
    PyGreenlet* main;              // owned, while the thread lives
    Activation* active;            // its active greenlets but the main one
    [[no_unique_address]] interpreter::Lock after_end;  // for what any thread may do with it once it has ended
    Activation main_activation;
    stackful::system::Bounds own_stack;  // as far as it has been asked for
    unsigned long identity;              // as threading.get_ident() has it
    interpreter::SharedCount owners{1};

    // A slot for a new greenlet, or nullptr with an exception.
    stackful::Slot* acquire_slot() noexcept;

    // Returns the stack of a greenlet that finished or was abandoned.
    void return_stack(Activation& activation) noexcept;

    // The running thread's. nullptr with an exception if there was none and it could not be made.
    static Thread* running() noexcept;

    // That of another thread, which may not have used greenlets yet. nullptr with an exception if it could not be made.
    static Thread* of(PyThreadState* thread_state) noexcept;

    // The running thread's, if there is one and it is at hand; else nullptr.
    static Thread* known() noexcept { return is_noted(interpreter::current_thread_state()) ? Notes::get().thread : nullptr; }

    // The module's state in the running interpreter, looked up only if there is no Thread at hand. nullptr with an exception
    // if the module was never imported there.
    static ModuleState* running_module() noexcept;

    // Has `g`, an active greenlet of this thread, killed when the thread next uses greenlets. For any thread to call; takes
    // over a reference to `g`. False, and nothing is done, if the thread has ended. `collected`: see Greenlet.
    bool kill_later(PyGreenlet* g, bool collected) noexcept;

    // Kills the greenlets that others released. Called by the thread itself.
    void run_kill_queue() noexcept {
        if (has_obstacles() && !postpones_kills) [[unlikely]] {
            run_kill_queue_now();
        }
    }

    bool has_obstacles() const noexcept { return obstacles.load(std::memory_order_relaxed) != 0; }

    // Does a function run that on_thread_stack() has called?
    bool is_on_own_stack() const noexcept { return (obstacles.load(std::memory_order_relaxed) & on_own_stack) != 0; }

    // Gives memory back that free stacks, and those of suspended greenlets, do not use any more.
    void trim_stacks() noexcept;

    void add_active(Activation& activation) noexcept;
    void remove_active(Activation& activation) noexcept;

    void share() noexcept { owners.add(); }
    void unref() noexcept;

private:
    Thread() noexcept = default;
    static Thread* find_or_make(PyThreadState* thread_state) noexcept;
    static Thread* find_or_make_in(PyObject* dict, PyThreadState* thread_state) noexcept;
    static Thread* make(PyThreadState* thread_state, ModuleState& module, PyObject* dict) noexcept;
    static void thread_state_cleared(PyObject* capsule);
    void follow_settings() noexcept;
    void run_kill_queue_now() noexcept;
    PyGreenlet* take_released(bool& collected) noexcept;
    void leave_thread_state() noexcept;
    void end_layer_objects() noexcept;
    PyGreenlet* take_survivor() noexcept;
    void trim_free_stacks() noexcept;
    void end() noexcept;

    static void note(PyThreadState* thread_state, Thread* thread) noexcept;

    static std::atomic<std::size_t> ended_threads;

    // Is its Thread at hand?
    static bool is_noted(PyThreadState* thread_state) noexcept {
        const Notes& notes = Notes::get();
        return notes.thread_state == thread_state && notes.ended == ended_threads.load(std::memory_order_relaxed);
    }
};

// Did the thread of a started greenlet end?
inline bool is_of_ended_thread(const PyGreenlet* g) noexcept {
    return g->pimpl->thread != nullptr && g->pimpl->thread->thread_state == nullptr;
}

inline ModuleState* Thread::running_module() noexcept {
    return is_noted(interpreter::current_thread_state()) ? Notes::get().thread->module : ModuleState::of_interpreter();
}

inline Thread* Thread::running() noexcept {
    PyThreadState* thread_state = interpreter::current_thread_state();
    if (is_noted(thread_state)) [[likely]] {
        return Notes::get().thread;
    }
    return find_or_make(thread_state);
}

}  // namespace core
