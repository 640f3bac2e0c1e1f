// The threads of the process that have greenlets, in all interpreters.
//
// A signal handler, a debugger and another process read the list while threads come and go. So it only grows: the place
// of a thread that is gone waits for the next thread, and is never freed.

#pragma once

#include <atomic>
#include <mutex>

#include "core/thread.hpp"
#include "stackful/mutex.hpp"

namespace core {

struct ThreadPlace {
    std::atomic<Thread*> thread;             // nullptr while the place is free
    std::atomic<const ModuleState*> module;  // of the thread's interpreter; nullptr while the place is free
    ThreadPlace* next;
};

class ThreadList {
public:
    // Adds a thread until remove(). False if memory ran out.
    [[nodiscard]] static bool add(Thread& thread) noexcept;
    static void remove(Thread& thread) noexcept;

    // Calls function(Thread&) for each thread of an interpreter that has greenlets, or left some when it ended. The
    // threads can't leave the list meanwhile. They may run, if the caller has no GIL. The function must not allocate,
    // lock or release anything.
    template <class Function>
    static void for_each(const ModuleState& module, Function function) noexcept {
        std::lock_guard staying(leaving_);
        for (ThreadPlace* place = first(); place != nullptr; place = place->next) {
            if (place->module.load(std::memory_order_acquire) == &module) {
                function(*place->thread.load(std::memory_order_relaxed));
            }
        }
    }

    // Sets the function that is called at each switch of the running interpreter's threads. nullptr for none.
    static void set_switch_hook(ModuleState& module, SwitchHook hook) noexcept;

    // The first place, and where the pointer to it is.
    static ThreadPlace* first() noexcept { return first_.load(std::memory_order_acquire); }
    static constexpr const void* address() noexcept { return &first_; }

private:
    struct ForkHandlers;
    static const ForkHandlers fork_handlers;

    static std::atomic<ThreadPlace*> first_;
    static stackful::Mutex leaving_;  // held to remove a thread
};

}  // namespace core
