// Informs AddressSanitizer, ThreadSanitizer and Valgrind about stacks, so that they can check programs that switch
// stacks.
//
// Each tool keeps a picture of "the stack" of a thread, and must learn of a change:
//
//   AddressSanitizer   where the stack that is switched to lies. With use-after-return detection it keeps the
//                      frames' variables on a "fake stack" of its own, one for each real stack, which it hands out
//                      when an execution leaves and wants back when it resumes. It also learns which stacks refer
//                      to memory that is no leak, and which memory has been given back to the system
//   ThreadSanitizer    which of its fibers runs: each has a call stack and a vector clock of its own
//   Valgrind           where stacks lie, else a change of stack looks to it like one huge push or pop
//
// Each tool has a small class with the same functions. The class for a tool that is off is empty, so `Fiber`, which
// combines them, takes no memory and no time then, and no other code needs an #if.

#pragma once

#include <cstddef>

#include "stackful/tools.hpp"

#if defined(STACKFUL_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if defined(STACKFUL_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
#endif
#if defined(STACKFUL_VALGRIND)
#include <valgrind/memcheck.h>
#endif

namespace stackful::annotations {

// The class for a tool that is off. Its comments say what the functions of all these classes mean.
template <int tool>
struct Absent {
    // An execution will begin on the stack [low, base).
    void create(const std::byte*, const std::byte*) noexcept {}
    // This execution is about to switch to another one.
    void leave(const Absent&, bool) noexcept {}
    // This execution has been resumed.
    void resumed() noexcept {}
    // An execution has begun.
    static void entered() noexcept {}
    // The steps of a call on the stack of another, suspended execution: this execution is about to go there; it has
    // arrived there; it is about to return to its own stack, where resumed() follows.
    void go_below(const Absent&) noexcept {}
    static void has_arrived_below() noexcept {}
    void return_from_below() noexcept {}
    // This execution will not run again.
    void destroy() noexcept {}
};

#if defined(STACKFUL_ADDRESS_SANITIZER)
class AddressSanitizer {
public:
    void create(const std::byte* low, const std::byte* base) noexcept {
        bottom_ = low;
        size_ = static_cast<std::size_t>(base - low);
        fake_stack_ = nullptr;
        // Frames that an earlier execution never returned from left their red zones.
        __asan_unpoison_memory_region(low, size_);
        __lsan_register_root_region(low, size_);
        created_ = true;
    }
    void leave(AddressSanitizer& to, bool permanently) noexcept {
        left_ = permanently ? nullptr : this;
        __sanitizer_start_switch_fiber(permanently ? nullptr : &fake_stack_, to.bottom_, to.size_);
    }
    void resumed() noexcept { arrive(fake_stack_); }
    static void entered() noexcept { arrive(nullptr); }
    // The suspended execution keeps its fake stack, so the call gets another one for as long as it takes.
    void go_below(AddressSanitizer& suspended) noexcept { leave(suspended, false); }
    static void has_arrived_below() noexcept { arrive(nullptr); }
    void return_from_below() noexcept { leave(*this, true); }
    void destroy() noexcept {
        if (created_) {
            __lsan_unregister_root_region(bottom_, size_);
            created_ = false;
        }
    }

private:
    // At each arrival AddressSanitizer says where the stack that was left lies. This is how the bounds of a thread's
    // own stack become known before an execution switches back to it.
    static void arrive(void* fake_stack) noexcept {
        const void* bottom;
        std::size_t size;
        __sanitizer_finish_switch_fiber(fake_stack, &bottom, &size);
        if (left_ != nullptr) {
            left_->bottom_ = bottom;
            left_->size_ = size;
        }
    }

    const void* bottom_ = nullptr;  // lowest address of the stack
    std::size_t size_ = 0;
    void* fake_stack_ = nullptr;  // while suspended
    bool created_ = false;        // by create(): it is not a thread's own stack
    // The execution that switched last, if it still exists.
    static inline thread_local AddressSanitizer* left_ = nullptr;
};
#else
using AddressSanitizer = Absent<0>;
#endif

#if defined(STACKFUL_THREAD_SANITIZER)
class ThreadSanitizer {
public:
    void create(const std::byte*, const std::byte*) noexcept {
        fiber_ = __tsan_create_fiber(0);
        created_ = true;
    }
    [[gnu::always_inline]] void leave(ThreadSanitizer& to, bool) noexcept {
        if (!created_) {
            fiber_ = __tsan_get_current_fiber();  // the thread's own stack
        }
        __tsan_switch_to_fiber(to.fiber_, 0);
    }
    void resumed() noexcept {}
    static void entered() noexcept {}
    // ThreadSanitizer does not need to know where a fiber's stack is.
    void go_below(ThreadSanitizer&) noexcept {}
    static void has_arrived_below() noexcept {}
    void return_from_below() noexcept {}
    void destroy() noexcept {
        if (created_) {
            __tsan_destroy_fiber(fiber_);
            created_ = false;
        }
    }

private:
    void* fiber_ = nullptr;
    bool created_ = false;  // by create(), so destroy() must destroy it
};
#else
using ThreadSanitizer = Absent<1>;
#endif

#if defined(STACKFUL_VALGRIND)
class Valgrind {
public:
    void create(const std::byte* low, const std::byte* base) noexcept {
        stack_ = VALGRIND_STACK_REGISTER(low, base - 1);
        registered_ = true;
    }
    void leave(Valgrind&, bool) noexcept {}
    void resumed() noexcept {}
    static void entered() noexcept {}
    void go_below(Valgrind&) noexcept {}
    static void has_arrived_below() noexcept {}
    void return_from_below() noexcept {}
    void destroy() noexcept {
        if (registered_) {
            VALGRIND_STACK_DEREGISTER(stack_);
            registered_ = false;
        }
    }

private:
    unsigned stack_ = 0;  // Valgrind's number for it
    bool registered_ = false;
};
#else
using Valgrind = Absent<2>;
#endif

// What the tools know about one execution.
class Fiber : AddressSanitizer, ThreadSanitizer, Valgrind {
public:
    void create(const std::byte* low, const std::byte* base) noexcept {
        AddressSanitizer::create(low, base);
        ThreadSanitizer::create(low, base);
        Valgrind::create(low, base);
    }
    [[gnu::always_inline]] void leave(Fiber& to, bool permanently) noexcept {
        AddressSanitizer::leave(to, permanently);
        Valgrind::leave(to, permanently);
        ThreadSanitizer::leave(to, permanently);
    }
    [[gnu::always_inline]] void resumed() noexcept {
        AddressSanitizer::resumed();
        ThreadSanitizer::resumed();
        Valgrind::resumed();
    }
    [[gnu::always_inline]] static void entered() noexcept {
        AddressSanitizer::entered();
        ThreadSanitizer::entered();
        Valgrind::entered();
    }
    void go_below(Fiber& suspended) noexcept {
        AddressSanitizer::go_below(suspended);
        ThreadSanitizer::go_below(suspended);
        Valgrind::go_below(suspended);
    }
    static void has_arrived_below() noexcept {
        AddressSanitizer::has_arrived_below();
        ThreadSanitizer::has_arrived_below();
        Valgrind::has_arrived_below();
    }
    void return_from_below() noexcept {
        AddressSanitizer::return_from_below();
        ThreadSanitizer::return_from_below();
        Valgrind::return_from_below();
    }
    void destroy() noexcept {
        AddressSanitizer::destroy();
        ThreadSanitizer::destroy();
        Valgrind::destroy();
    }
};

// Memory of former stacks is about to be given back to the system, which may reuse it for anything.
inline void give_back([[maybe_unused]] const void* address, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(STACKFUL_ADDRESS_SANITIZER)
    __asan_unpoison_memory_region(address, bytes);
#endif
}

// Memory of a stack below its stack pointer is about to be read on purpose.
inline void inspect_unused([[maybe_unused]] const void* address, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(STACKFUL_VALGRIND)
    static_cast<void>(VALGRIND_MAKE_MEM_DEFINED(address, bytes));
#endif
}

}  // namespace stackful::annotations
