// A function on a stack of its own: a minimal client of the engine, for the tests.

#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>

#include "stackful/cache.hpp"
#include "stackful/context.hpp"
#include "stackful/tools.hpp"

inline constexpr bool with_address_sanitizer = stackful::tools::has_address_sanitizer;
inline constexpr bool with_thread_sanitizer = stackful::tools::has_thread_sanitizer;
// A sanitizer needs memory itself, which hides what is measured.
inline constexpr bool with_sanitizer = with_address_sanitizer || with_thread_sanitizer;
#if defined(STACKFUL_TESTS_ARE_EMULATED)
inline constexpr bool with_emulator = true;
#else
inline constexpr bool with_emulator = false;
#endif

// A size of each kind of slot; the large one is the usual size for threads.
inline constexpr std::size_t small_stack = std::size_t{256} << 10;
inline constexpr std::size_t large_stack = std::size_t{8} << 20;

// How many bytes of a slot may be accessed below its base. Where the system extends stacks it keeps some pages for
// handlers of an overflow.
inline std::size_t bytes_below(const stackful::Slot& slot) {
    constexpr std::size_t kept = stackful::system::extends_stacks ? std::size_t{32} << 10 : 0;
    return static_cast<std::size_t>(slot.stack_base() - slot.low) - kept;
}

// Writes to each page of the stack of a free slot, down to so many bytes below its base.
inline void use_stack(stackful::Slot& slot, std::size_t bytes) {
    if constexpr (!stackful::system::extends_stacks) {
        std::memset(slot.stack_base() - bytes, 1, bytes);
        return;
    }
    // Only what runs on a stack can extend it.
    struct Use {
        stackful::Execution here;
        stackful::Execution there;
        std::byte* end;

        [[gnu::noinline]] static void touch(const std::byte* end) {
            volatile std::byte frame[1024];
            frame[0] = std::byte{1};
            if (reinterpret_cast<std::uintptr_t>(frame) > reinterpret_cast<std::uintptr_t>(end) + 2048) {
                touch(end);
            }
            frame[1] = std::byte{1};
        }
    } use;
    use.end = slot.stack_base() - bytes;
    stackful::prepare(use.there, slot, [](void* passed) {
        stackful::entered();
        auto& use = *static_cast<Use*>(passed);
        Use::touch(use.end);
        stackful::finish(use.there, use.here, nullptr);
    });
    stackful::switch_to(use.here, use.there, &use);
    stackful::retire(use.there, slot);
}

class Coroutine {
public:
    // Receives the value of the first resume(). Its result is that of the last one.
    using Body = std::function<void*(Coroutine& self, void* value)>;

    Coroutine(stackful::StackCache& cache, Body body) : body_(std::move(body)), cache_(cache), slot_(cache.acquire()) {
        stackful::prepare(execution_, *slot_, entry);
    }
    ~Coroutine() {
        stackful::retire(execution_, *slot_);
        cache_.release(slot_);
    }
    Coroutine(const Coroutine&) = delete;
    Coroutine& operator=(const Coroutine&) = delete;

    // Runs the body until it suspends or ends, and returns the value that it passes.
    void* resume(void* value = nullptr) {
        stackful::Execution here;
        resumer_ = &here;
        value_ = value;
        return stackful::switch_to(here, execution_, this);
    }

    // Called by the body. Returns the value of the next resume().
    void* suspend(void* value = nullptr) {
        stackful::switch_to(execution_, *resumer_, value);
        return value_;
    }

    bool finished() const { return finished_; }
    stackful::Slot* slot() const { return slot_; }
    const stackful::Execution& execution() const { return execution_; }
    stackful::Execution& execution() { return execution_; }

    // While the body runs: the execution that resumed it.
    stackful::Execution& resumer() { return *resumer_; }

private:
    static void entry(void* transfer) {
        stackful::entered();
        auto* self = static_cast<Coroutine*>(transfer);
        void* result = self->body_(*self, self->value_);
        self->finished_ = true;
        stackful::finish(self->execution_, *self->resumer_, result);
    }

    Body body_;
    stackful::StackCache& cache_;
    stackful::Slot* slot_;
    stackful::Execution execution_;
    stackful::Execution* resumer_ = nullptr;
    void* value_ = nullptr;
    bool finished_ = false;
};
