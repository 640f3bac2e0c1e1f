// Calls on the thread's own stack, from an execution on another stack.

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

#include "backtrace.hpp"
#include "coroutine.hpp"
#include "observed.hpp"
#include "stackful/system/system.hpp"

namespace {

using stackful::StackCache;

// Calls function(argument) below the frames of the execution that resumed the coroutine.
void* call_below_resumer(Coroutine& self, stackful::Function function, void* argument) {
    return stackful::call_below(self.execution(), self.resumer(), function, argument);
}

bool is_on_thread_stack(const void* address) { return stackful::system::thread_stack().holds(address); }

void expect_a_call_on_the_stack_of_this_thread() {
    StackCache cache(small_stack);
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        EXPECT_TRUE(self.slot()->has_on_stack(__builtin_frame_address(0)));
        int value = 41;
        void* result = call_below_resumer(
            self,
            [](void* argument) -> void* {
                if (!with_address_sanitizer) {
                    EXPECT_TRUE(is_on_thread_stack(__builtin_frame_address(0)));
                }
                *static_cast<int*>(argument) += 1;
                return argument;
            },
            &value);
        EXPECT_EQ(result, &value);
        EXPECT_EQ(value, 42);
        EXPECT_TRUE(self.slot()->has_on_stack(__builtin_frame_address(0)));
        return nullptr;
    });
    volatile int before = 7;
    coroutine.resume();
    EXPECT_TRUE(coroutine.finished());
    EXPECT_EQ(before, 7);
}

TEST(CallBelow, runs_on_the_stack_of_the_thread) { expect_a_call_on_the_stack_of_this_thread(); }

TEST(CallBelow, runs_on_the_stack_of_another_thread) { std::thread(expect_a_call_on_the_stack_of_this_thread).join(); }

[[gnu::noinline]] std::size_t use(std::size_t kibibytes) {
    volatile char frame[1024];
    frame[0] = 1;
    return kibibytes == 0 ? 0 : use(kibibytes - 1) + static_cast<std::size_t>(frame[0]);
}

TEST(CallBelow, has_all_of_the_stack_of_the_thread) {
    if (with_sanitizer) {
        GTEST_SKIP() << "the sanitizer makes frames larger";
    }
    constexpr std::size_t most = 4 << 10;
    StackCache cache(stackful::minimum_stack_size);
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        return call_below_resumer(self, [](void*) { return reinterpret_cast<void*>(use(most)); }, nullptr);
    });
    EXPECT_EQ(coroutine.resume(), reinterpret_cast<void*>(most));
}

// Whether a stack holds a frame so many KiB below the caller's.
[[gnu::noinline]] bool holds_deep_frame(const stackful::system::Bounds& stack, std::size_t kibibytes) {
    volatile char frame[1024];
    frame[0] = 1;
    return kibibytes == 0 ? stack.holds(const_cast<char*>(frame))
                          : holds_deep_frame(stack, kibibytes - 1) && frame[0] == 1;
}

TEST(ThreadStack, of_the_process_is_what_it_may_grow_to) {
    if (with_sanitizer) {
        GTEST_SKIP() << "the sanitizer makes frames larger";
    }
    stackful::system::Bounds stack = stackful::system::thread_stack();
    EXPECT_TRUE(stack.holds(__builtin_frame_address(0)));
    EXPECT_TRUE(holds_deep_frame(stack, 4 << 10));
}

#if !defined(_WIN32)  // there the attribute says how much is committed
TEST(ThreadStack, of_another_thread_has_the_size_that_was_asked_for) {
    static constexpr std::size_t asked_for = 192 << 10;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, asked_for), 0);
    static stackful::system::Bounds stack;
    pthread_t thread;
    auto look = [](void*) -> void* {
        stack = stackful::system::thread_stack();
        EXPECT_TRUE(stack.holds(__builtin_frame_address(0)));
        return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, &attributes, look, nullptr), 0);
    ASSERT_EQ(pthread_join(thread, nullptr), 0);
    pthread_attr_destroy(&attributes);
    EXPECT_GE(stack.base - stack.low, static_cast<std::ptrdiff_t>(asked_for));
    EXPECT_LT(stack.base - stack.low, static_cast<std::ptrdiff_t>(asked_for) + (64 << 10));
}
#endif

TEST(CallBelow, leaves_the_frames_above_it_alone) {
    StackCache cache(small_stack);
    volatile char kept[4096];
    std::memset(const_cast<char*>(kept), 42, sizeof kept);
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        for (int i = 0; i < 3; ++i) {
            call_below_resumer(self, [](void*) { return reinterpret_cast<void*>(use(100)); }, nullptr);
            self.suspend();
        }
        return nullptr;
    });
    for (int i = 0; i < 4; ++i) {
        coroutine.resume();
        for (volatile char& each : kept) {
            ASSERT_EQ(each, 42);
        }
    }
    EXPECT_TRUE(coroutine.finished());
}

// With the C library's switch, an unwinder treats the stack of the call as a new stack.
#if !defined(STACKFUL_TESTS_USE_UCONTEXT)

TEST(CallBelow, lets_exceptions_pass) {
#if defined(_WIN32)
    GTEST_SKIP() << "Windows refuses frames on another stack (arch/x86_64_windows.S)";
#endif
    StackCache cache(large_stack);
    std::string caught;
    Coroutine coroutine(cache, [&caught](Coroutine& self, void*) {
        try {
            call_below_resumer(self, [](void*) -> void* { throw std::runtime_error("thrown below"); }, nullptr);
        }
        catch (const std::runtime_error& error) {
            caught = error.what();
        }
        EXPECT_TRUE(self.slot()->has_on_stack(__builtin_frame_address(0)));
        self.suspend();
        return nullptr;
    });
    coroutine.resume();
    EXPECT_EQ(caught, "thrown below");
    coroutine.resume();
}

constexpr int depth_of_caller = 40;

[[gnu::noinline]] void* call_from_deep(int depth, Coroutine& self) {
    void* result = depth > 0 ? call_from_deep(depth - 1, self)
                             : call_below_resumer(
                                   self,
                                   [](void*) -> void* {
                                       void* addresses[200];
                                       auto frames = static_cast<std::intptr_t>(find_calls(addresses, 200));
                                       return reinterpret_cast<void*>(frames);
                                   },
                                   nullptr);
    asm volatile("");
    return result;
}

TEST(CallBelow, a_backtrace_goes_on_to_the_frames_of_the_caller) {
    StackCache cache(large_stack);
    Coroutine coroutine(cache, [](Coroutine& self, void*) { return call_from_deep(depth_of_caller, self); });
    auto frames = reinterpret_cast<std::intptr_t>(coroutine.resume());
    EXPECT_GT(frames, depth_of_caller);
    EXPECT_LT(frames, depth_of_caller + 30);
}

#endif

}  // namespace
