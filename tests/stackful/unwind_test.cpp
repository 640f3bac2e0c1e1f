#include <gtest/gtest.h>
#if !defined(_WIN32)
#include <pthread.h>
#endif
#include <unwind.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include "backtrace.hpp"
#include "coroutine.hpp"
#include "observed.hpp"

namespace {

using stackful::StackCache;

constexpr int host_depth = 60;

[[gnu::noinline]] void call_from_deep(int depth, Coroutine& coroutine) {
    if (depth == 0) {
        coroutine.resume();
    }
    else {
        call_from_deep(depth - 1, coroutine);
    }
    asm volatile("");
}

TEST(Unwind, backtrace_stops_at_the_first_function_of_the_stack) {
    StackCache cache(large_stack);
    static int frames;
    Coroutine coroutine(cache, [](Coroutine&, void*) {
        void* addresses[200];
        frames = find_calls(addresses, 200);
        return nullptr;
    });
    call_from_deep(host_depth, coroutine);
    EXPECT_GE(frames, 3);
    EXPECT_LT(frames, host_depth / 2);
}

TEST(Unwind, unwinder_reports_the_end_of_the_stack) {
    StackCache cache(large_stack);
    static _Unwind_Reason_Code reason;
    static std::byte* last_frame;
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        reason = _Unwind_Backtrace(
            [](_Unwind_Context* context, void*) {
#if defined(__arm__)
                last_frame = reinterpret_cast<std::byte*>(_Unwind_GetGR(context, 13));
#else
                last_frame = reinterpret_cast<std::byte*>(_Unwind_GetCFA(context));
#endif
                return _URC_NO_REASON;
            },
            nullptr);
        EXPECT_GT(last_frame, self.slot()->low);
        EXPECT_LE(last_frame, self.slot()->stack_base() + 64);
        return nullptr;
    });
    call_from_deep(host_depth, coroutine);
#if defined(__arm__)
    EXPECT_EQ(reason, _URC_FAILURE);  // it has one code for every end
#else
    EXPECT_EQ(reason, _URC_END_OF_STACK);
#endif
}

#if __has_cpp_attribute(gnu::noipa)
[[gnu::noipa]]  // GCC makes no copies of it
#else
[[gnu::noinline]]
#endif
void suspend_deep(int depth, Coroutine& self) {
    if (depth == 0) {
        self.suspend();
    }
    else {
        suspend_deep(depth - 1, self);
    }
    asm volatile("");
}

TEST(Unwind, a_suspended_execution_seems_to_call_what_is_called_beside_it) {
    if (!stackful::has_call_beside) {
        GTEST_SKIP() << "this switch has no call-frame information";
    }
    StackCache cache(large_stack);
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        volatile double kept = 0.5;
        suspend_deep(host_depth, self);
        EXPECT_EQ(kept, 0.5);
        return nullptr;
    });
    coroutine.resume();
    static void* addresses[200];
    static std::intptr_t frames;
    for (int round = 0; round < 3; ++round) {
        int argument = round;
        void* result = stackful::call_beside(
            coroutine.execution(),
            [](void* number) -> void* {
                frames = find_calls(addresses, 200);
                return number;
            },
            &argument);
        EXPECT_EQ(result, &argument);
        EXPECT_GE(frames, host_depth);
        EXPECT_LT(frames, host_depth + 20);
    }
    auto in_function = std::count_if(addresses, addresses + frames, [](void* address) {
        auto offset = static_cast<std::byte*>(address) - reinterpret_cast<std::byte*>(&suspend_deep);
        return offset > 0 && offset < 1024;
    });
    EXPECT_GE(in_function, host_depth);
    coroutine.resume();
    EXPECT_TRUE(coroutine.finished());
}

[[gnu::noinline]] void throw_from_deep(int depth) {
    if (depth == 0) {
        throw std::runtime_error("thrown on a slot");
    }
    throw_from_deep(depth - 1);
    asm volatile("");
}

TEST(Unwind, exception_is_caught_within_its_stack) {
    StackCache cache(large_stack);
    std::string caught;
    Coroutine coroutine(cache, [&](Coroutine&, void*) {
        try {
            throw_from_deep(20);
        }
        catch (const std::runtime_error& error) {
            caught = error.what();
        }
        return nullptr;
    });
    coroutine.resume();
    EXPECT_EQ(caught, "thrown on a slot");
}

TEST(Unwind, exception_runs_destructors_on_its_stack) {
    StackCache cache(large_stack);
    bool destroyed = false;
    Coroutine coroutine(cache, [&](Coroutine&, void*) {
        struct Sentinel {
            bool& destroyed;
            ~Sentinel() { destroyed = true; }
        };
        try {
            Sentinel sentinel{destroyed};
            throw_from_deep(3);
        }
        catch (const std::runtime_error&) {
        }
        return nullptr;
    });
    coroutine.resume();
    EXPECT_TRUE(destroyed);
}

TEST(UnwindDeathTest, uncaught_exception_reaches_terminate) {
    auto run = [] {
        std::set_terminate([] {
            std::fputs("terminate was reached\n", stderr);
            std::_Exit(7);
        });
        StackCache cache(large_stack);
        Coroutine coroutine(cache, [](Coroutine&, void*) -> void* { throw 1; });
        try {
            coroutine.resume();
        }
        catch (...) {
            std::fputs("the exception crossed to the host's stack\n", stderr);
            std::_Exit(8);
        }
    };
    EXPECT_EXIT(run(), testing::ExitedWithCode(7), "terminate was reached");
}

#if !defined(_WIN32)  // where nothing unwinds a thread that ends

TEST(Unwind, pthread_exit_on_a_slot_ends_only_the_thread) {
    if (with_sanitizer) {
        GTEST_SKIP() << "the sanitizers do not support a thread that ends on another stack than its own";
    }
    struct Shared {
        StackCache cache{large_stack};
        Coroutine* coroutine = nullptr;
        bool unwound = false;
    };
    static Shared* shared;
    shared = new Shared;
    shared->coroutine = new Coroutine(shared->cache, [](Coroutine&, void*) -> void* {
        struct Sentinel {
            ~Sentinel() { shared->unwound = true; }
        } sentinel;
        pthread_exit(shared);
    });
    pthread_t thread;
    ASSERT_EQ(pthread_create(
                  &thread, nullptr,
                  [](void*) -> void* {
                      shared->coroutine->resume();
                      return nullptr;
                  },
                  nullptr),
              0);
    void* result = nullptr;
    ASSERT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ(result, shared);
#if defined(__GLIBC__)
    EXPECT_TRUE(shared->unwound);
#else
    EXPECT_FALSE(shared->unwound);  // musl ends the thread without unwinding its frames
#endif
    delete shared->coroutine;
    delete shared;
}

#endif

}  // namespace
