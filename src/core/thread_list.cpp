#include "core/thread_list.hpp"

#include "stackful/heap.hpp"

namespace core {

std::atomic<ThreadPlace*> ThreadList::first_{nullptr};
constinit stackful::Mutex ThreadList::leaving_;

// A fork while another thread holds the mutex would leave it locked permanently in the child.
struct ThreadList::ForkHandlers {
    ForkHandlers() noexcept {
        stackful::system::at_fork([] { leaving_.lock(); }, [] { leaving_.unlock(); }, [] { leaving_.unlock(); });
    }
};

const ThreadList::ForkHandlers ThreadList::fork_handlers;

bool ThreadList::add(Thread& thread) noexcept {
    // Threads of several interpreters may be here at the same time.
    ThreadPlace* place = first();
    for (; place != nullptr; place = place->next) {
        Thread* none = nullptr;
        if (place->thread.compare_exchange_strong(none, &thread, std::memory_order_acq_rel)) {
            break;
        }
    }
    if (place == nullptr) {
        place = new (stackful::heap) ThreadPlace{&thread, nullptr, first()};
        if (place == nullptr) {
            return false;
        }
        while (!first_.compare_exchange_weak(place->next, place, std::memory_order_acq_rel)) {}
    }
    thread.place = place;
    place->module.store(thread.module, std::memory_order_release);
    return true;
}

void ThreadList::set_switch_hook(ModuleState& module, SwitchHook hook) noexcept {
    module.switch_hook.store(hook, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    for_each(module, [hook](Thread& thread) {
        hook != nullptr ? thread.observers.set(hook_set) : thread.observers.clear(hook_set);
    });
}

void ThreadList::remove(Thread& thread) noexcept {
    std::lock_guard leaving(leaving_);
    thread.place->module.store(nullptr, std::memory_order_relaxed);
    thread.place->thread.store(nullptr, std::memory_order_release);
}

}  // namespace core
