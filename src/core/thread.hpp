// A thread that has greenlets.
//
// Greenlets belong to a PyThreadState, not to an operating-system thread: one thread may take turns with several
// interpreters, and a foreign thread gets a new thread state at each PyGILState_Ensure. A Thread is made when a thread
// state first uses greenlets. The thread state's dictionary and the greenlets that the thread started own it.
//
// The end of a thread. CPython clears the dictionary of the thread state while the thread can still run Python code,
// and that ends the Thread. Greenlets in unreferenced cycles are collected, and their `finally` blocks run; those that
// nothing can resume are abandoned. A greenlet that is still referenced stays suspended until that reference is
// released.

#pragma once

#include <atomic>
#include <utility>

#include "core/greenlet.hpp"
#include "core/notes.hpp"
#include "core/traversal_order.hpp"
#include "interpreter/memory_tracing.hpp"
#include "interpreter/thread_state.hpp"
#include "interpreter/threading/shared_count.hpp"
#include "stackful/cache.hpp"

namespace core {

// What keeps a switch off the shortest path: one bit for each reason.
enum Obstacle : unsigned {
    kills_wait = 1,   // the kill queue is not empty, and is run first
    on_own_stack = 2  // on_thread_stack() runs a function, and no switch is possible
};

// The domain in which tracemalloc counts the stacks of greenlets: the first page of each, while it is in use.
inline constexpr unsigned stack_memory_domain = 0x67726E6C;

// An object that a layer above core keeps for each thread (core/layer.hpp). Its finalizer is called while the thread
// can still run Python code; it takes the object off the thread.
struct LayerObject {
    PyObject* object;  // owned
    bool has_ended;    // the thread ends, and its object has been finalized once
};

struct ThreadPlace;

struct Thread {
    interpreter::SharedValue<PyThreadState*> thread_state;  // nullptr once the thread has ended
    interpreter::SharedValue<PyGreenlet*> current;          // owned; the greenlet that runs
    PyGreenlet* origin;                  // owned; the greenlet that switched away, until the next one has arrived
    Activation* finished_activation;     // of a greenlet that finished; the next one returns its stack
    alignas(8) std::uint64_t switches;   // how often another greenlet became the current one
    PyObject* tracer;                    // owned; called at each switch, or nullptr
    std::atomic<unsigned> obstacles{0};  // set by any thread
    interpreter::SharedValue<unsigned> observers{0};  // of switches; set by any thread
    PyGreenlet* to_kill;       // owned; the first greenlet of the kill queue. Each owns the next one
    PyGreenlet* last_to_kill;  // changed, like to_kill, while `after_end` is held
    // This size holds until the first follow_settings().
    stackful::StackCache stacks{stackful::minimum_stack_size};
    std::size_t stack_settings;              // core::stack_settings() at the last follow_settings()
    ModuleState* module;                     // shared
    bool postpones_kills;                    // no greenlet can be killed now: a switch of several steps is in progress
    LayerObject layer_objects[layer_count];  // of the layers above core, by number
    PyGreenlet* main;                        // owned, while the thread lives
    Activation* active;                      // the list of its active greenlets without the main one
    std::size_t started;                     // how many greenlets were ever in this list
    std::size_t ended;                       // how many have left it
    TraversalOrder traversal_order;          // of the garbage collector; unused without a GIL
    const Activation* last_shown;            // whose `gr_frame` was read last; never dereferenced
    [[no_unique_address]] interpreter::Lock after_end;  // guards what any thread may do once this one has ended
    Activation main_activation;
    stackful::system::Bounds own_stack;  // empty until it is needed
    unsigned long identity;              // threading.get_ident()
    ThreadPlace* place;                  // in the list of all threads (core/thread_list.hpp)
    Mark mark;                           // of the thread
    Mark last_mark;                      // of the greenlet that arrived last
    std::size_t last_started;            // `started` when it arrived
    interpreter::SharedCount owners{1};

    // A slot for a new greenlet, or nullptr with an exception.
    stackful::Slot* acquire_slot() noexcept;

    // Returns a slot that nothing runs on.
    void release_slot(stackful::Slot* slot) noexcept {
        if (interpreter::traces_memory()) [[unlikely]] {
            interpreter::untrace_memory(stack_memory_domain, slot);
        }
        stacks.release(slot);
    }

    // Returns the stack of a greenlet that finished or was abandoned.
    [[gnu::always_inline]] void return_stack(Activation& activation) noexcept {
        stackful::retire(activation.greenlet->pimpl->execution, *activation.slot);
        release_slot(activation.slot);
    }
    void return_finished_stack() noexcept { return_stack(*std::exchange(finished_activation, nullptr)); }

    // The record of the running thread, made at the first call. nullptr with an exception.
    static Thread* running() noexcept;

    // The record of another thread, made if that thread has not used greenlets yet. nullptr with an exception.
    static Thread* of(PyThreadState* thread_state) noexcept;

    // The record of the running thread if the Notes have it, else nullptr.
    static Thread* known() noexcept {
        return is_noted(interpreter::current_thread_state()) ? Notes::get().thread : nullptr;
    }

    // The running interpreter's module state. nullptr with an exception if the module was never imported there.
    static ModuleState* running_module() noexcept;

    // Puts `g`, an active greenlet of this thread, into the kill queue, which the thread runs when it next uses
    // greenlets. Any thread may call it. Takes over a reference to `g`. False, and nothing is done, if the thread has
    // ended. `collected`: see Kill.
    bool kill_later(PyGreenlet* g, bool collected) noexcept;

    // Kills the greenlets in the kill queue. Only the thread itself calls it.
    void run_kill_queue() noexcept {
        if (has_obstacles() && !postpones_kills) [[unlikely]] {
            run_kill_queue_now();
        }
    }

    bool has_obstacles() const noexcept { return obstacles.load(std::memory_order_relaxed) != 0; }

    // True while on_thread_stack() runs a function.
    bool is_on_own_stack() const noexcept { return (obstacles.load(std::memory_order_relaxed) & on_own_stack) != 0; }

    // Sets the trace function, whose reference it takes over. Returns the previous one, or nullptr.
    PyObject* exchange_tracer(PyObject* function) noexcept {
        function != nullptr ? observers.set(tracer_set) : observers.clear(tracer_set);
        return std::exchange(tracer, function);
    }

    // Decommits memory that free stacks and suspended greenlets no longer use.
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
    void tell_hook(SwitchEvent event) noexcept;
    void follow_switch_hook() noexcept;
    void run_kill_queue_now() noexcept;
    PyGreenlet* dequeue_kill(bool& collected) noexcept;
    void leave_thread_state() noexcept;
    void end_layer_objects() noexcept;
    PyGreenlet* take_survivor() noexcept;
    void trim_free_stacks() noexcept;
    void end() noexcept;

    static void note(PyThreadState* thread_state, Thread* thread) noexcept;

    static std::atomic<std::size_t> ended_threads;

    // True if the Notes are about this thread state.
    static bool is_noted(PyThreadState* thread_state) noexcept {
        const Notes& notes = Notes::get();
        return notes.thread_state == thread_state && notes.ended == ended_threads.load(std::memory_order_relaxed);
    }
};

// True if the greenlet was started and its thread has ended.
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
