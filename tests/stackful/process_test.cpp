// Events that concern a whole process: stack overflow, exhausted memory, fork.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "coroutine.hpp"
#include "stackful/overflow.hpp"

namespace {

using stackful::Slot;
using stackful::StackCache;
using stackful::StackPool;
using stackful::system::Commit;
using stackful::system::Guard;

volatile bool stop_recursion = false;

[[gnu::noinline]] int recurse_forever(int depth) {
    volatile char frame[100];
    frame[0] = static_cast<char>(depth);
    return stop_recursion ? 0 : recurse_forever(depth + 1) + frame[0];
}

Slot* overflowing;

void overflow_a_stack() {
    static char handler_stack[64 << 10];
    stack_t stack{};
    stack.ss_sp = handler_stack;
    stack.ss_size = sizeof handler_stack;
    sigaltstack(&stack, nullptr);
    struct sigaction action{};
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
        _exit(stackful::slot_guarding(info->si_addr) == overflowing ? 42 : 43);
    };
    sigaction(SIGSEGV, &action, nullptr);

    StackCache cache(stackful::minimum_stack_size);
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        overflowing = self.slot();
        recurse_forever(0);
        return nullptr;
    });
    coroutine.resume();
}

TEST(ProcessDeathTest, overflow_ends_in_a_signal_whose_address_tells_the_slot) {
    EXPECT_EXIT(overflow_a_stack(), testing::ExitedWithCode(42), "");
}

// Faults in the guard of a stack, by an overflow or by a write from elsewhere. Ends the process with 42 if an overflow
// is reported.
void fault_with_a_report(bool by_overflow) {
    ASSERT_TRUE(stackful::ensure_signal_stack());
    ASSERT_TRUE(stackful::report_overflows([](const Slot& slot) noexcept { _exit(&slot == overflowing ? 42 : 43); }));
    StackCache cache(stackful::minimum_stack_size);
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        overflowing = self.slot();
        self.suspend();
        recurse_forever(0);
        return nullptr;
    });
    coroutine.resume();
    if (by_overflow) {
        coroutine.resume();
    }
    *overflowing->begin() = std::byte{1};
}

TEST(ProcessDeathTest, overflow_is_reported) {
    EXPECT_EXIT(fault_with_a_report(true), testing::ExitedWithCode(42), "");
    EXPECT_EXIT(std::thread(fault_with_a_report, true).join(), testing::ExitedWithCode(42), "");
}

TEST(ProcessDeathTest, fault_in_the_guard_page_of_a_stack_that_does_not_run_is_not_reported_as_overflow) {
    if (with_sanitizer) {
        GTEST_SKIP() << "the sanitizer handles the signal";
    }
    EXPECT_EXIT(fault_with_a_report(false), testing::KilledBySignal(SIGSEGV), "");
}

// Every size of guard, installed in every way.
struct GuardedSize {
    std::size_t stack_size;
    Commit commit;
    Guard guard;
};

class GuardDeathTest : public testing::TestWithParam<GuardedSize> {
protected:
    void SetUp() override {
        if (with_sanitizer) {
            GTEST_SKIP() << "the sanitizer handles the signal";
        }
        if (GetParam().guard == Guard::marked && stackful::system::preferred_guard() != Guard::marked) {
            GTEST_SKIP() << "the system does not mark guards";
        }
    }
    StackPool pool{GetParam().commit, GetParam().guard};
    StackCache cache{GetParam().stack_size, pool};
};

std::vector<GuardedSize> guarded_sizes() {
    std::vector<GuardedSize> all;
    constexpr std::size_t mebibyte = std::size_t{1} << 20;
    for (std::size_t size :
         {stackful::minimum_stack_size, small_stack, mebibyte, 2 * mebibyte, large_stack, 64 * mebibyte}) {
        all.push_back({size, Commit::at_once, Guard::marked});
        all.push_back({size, Commit::at_once, Guard::mapped});
        all.push_back({size, Commit::when_needed, Guard::mapped});
    }
    return all;
}

INSTANTIATE_TEST_SUITE_P(Slots, GuardDeathTest, testing::ValuesIn(guarded_sizes()), [](const auto& info) {
    return std::to_string(info.param.stack_size >> 10) + "_kib_" +
           (info.param.commit == Commit::when_needed ? "when_needed"
            : info.param.guard == Guard::marked      ? "marked"
                                                     : "mapped");
});

TEST_P(GuardDeathTest, write_to_each_end_of_the_guard_is_fatal) {
    Slot* slot = cache.acquire();
    EXPECT_EXIT(*slot->begin() = std::byte{1}, testing::KilledBySignal(SIGSEGV), "");
    EXPECT_EXIT(slot->low[-1] = std::byte{1}, testing::KilledBySignal(SIGSEGV), "");
    cache.release(slot);
}

// Touches only the far end of a frame of so many bytes. OpenBLAS has such functions.
template <std::size_t bytes>
[[gnu::noinline, gnu::optimize("no-stack-clash-protection")]] void touch_far_end_of_frame() {
    char frame[bytes];
    frame[0] = 1;
    asm volatile("" ::"r"(frame) : "memory");
}

[[gnu::noinline]] void touch_far_end_of_large_frame(const Slot& slot) {
    constexpr std::size_t large = std::size_t{600} << 10;
    constexpr std::size_t small = std::size_t{60} << 10;
    constexpr std::size_t least = std::size_t{6} << 10;
    std::size_t guard = slot.layout->guard_bytes;
    guard > large   ? touch_far_end_of_frame<large>()
    : guard > small ? touch_far_end_of_frame<small>()
                    : touch_far_end_of_frame<least>();
}

// Calls a function with a large frame at the very bottom of a stack. Ends the process with 42 if the guard of that
// stack stops it.
void step_over_the_guard(StackCache& cache) {
    ASSERT_TRUE(stackful::ensure_signal_stack());
    // The slot at the highest address has another one below it.
    std::vector<Slot*> slots(8);
    for (Slot*& slot : slots) {
        slot = cache.acquire();
    }
    std::sort(slots.begin(), slots.end());
    cache.release(slots.back());
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        overflowing = self.slot();
        struct sigaction action{};
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        action.sa_sigaction = [](int, siginfo_t* info, void*) {
            auto* fault = static_cast<std::byte*>(info->si_addr);
            _exit(fault >= overflowing->begin() && fault < overflowing->low ? 42 : 43);
        };
        sigaction(SIGSEGV, &action, nullptr);
        auto here = static_cast<std::byte*>(__builtin_frame_address(0));
        constexpr std::size_t room_for_calls = 2048;
        auto* down_to_the_bottom = static_cast<volatile char*>(
            __builtin_alloca(static_cast<std::size_t>(here - self.slot()->low) - room_for_calls));
        touch_far_end_of_large_frame(*self.slot());
        *down_to_the_bottom = 0;
        return nullptr;
    });
    coroutine.resume();
    _exit(1);
}

TEST_P(GuardDeathTest, stops_a_function_whose_frame_is_larger_than_many_pages) {
    EXPECT_EXIT(step_over_the_guard(cache), testing::ExitedWithCode(42), "");
}

// Runs in a child process. 0 if all is well, 77 if the limit is not enforced.
int exhaust_memory() {
    StackPool pool;
    StackCache cache(large_stack, pool);
    std::vector<Slot*> slots;
    slots.reserve(1000);
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (file == nullptr || std::fscanf(file, "%lu", &pages) != 1) {
        return 1;
    }
    std::fclose(file);
    rlimit old_limit{};
    getrlimit(RLIMIT_AS, &old_limit);
    rlimit limit = old_limit;
    limit.rlim_cur = pages * static_cast<unsigned long>(getpagesize()) + (500 << 20);
    setrlimit(RLIMIT_AS, &limit);

    Slot* slot;
    while ((slot = cache.acquire()) != nullptr) {
        slots.push_back(slot);
        if (slots.size() > 100) {
            return 77;
        }
    }
    // Nearly all of the 500 MiB are in use, because the last regions are small.
    if (slots.size() < 45) {
        return 2;
    }
    if (cache.acquire() != nullptr || pool.slots_in_use() != slots.size()) {
        return 3;
    }
    // A released slot can be acquired again ...
    Slot* last = slots.back();
    cache.release(last);
    if (cache.acquire() != last || cache.acquire() != nullptr) {
        return 4;
    }
    // ... and new ones when there is memory again.
    setrlimit(RLIMIT_AS, &old_limit);
    slot = cache.acquire();
    if (slot == nullptr) {
        return 5;
    }
    slots.push_back(slot);
    for (Slot* each : slots) {
        std::memset(each->stack_base() - 100, 1, 100);
        cache.release(each);
    }
    return pool.slots_in_use() == 0 ? 0 : 6;
}

int exit_code_of_child(int (*function)()) {
    std::fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        _exit(function());
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Process, exhausted_address_space_yields_no_slot_and_does_no_harm) {
    if (with_sanitizer) {
        GTEST_SKIP() << "the sanitizer needs the address space";
    }
    int code = exit_code_of_child(exhaust_memory);
    if (code == 77) {
        GTEST_SKIP() << "limits are not enforced here";
    }
    EXPECT_EQ(code, 0);
}

#if defined(__GLIBC__) && defined(__LP64__)  // musl knows no more than the limit
// 0 if what is taken for the stack of the process lies above all other mappings. 77 if its limit can't be raised.
int compare_stack_with_other_mappings() {
    rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    rlim_t wanted = rlim_t{1} << 40;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? wanted : std::min(wanted, limit.rlim_max);
    if (limit.rlim_cur != wanted || setrlimit(RLIMIT_STACK, &limit) != 0) {
        return 77;
    }
    stackful::system::Bounds stack = stackful::system::thread_stack();
    std::FILE* maps = std::fopen("/proc/self/maps", "r");
    char line[512];
    unsigned long begin, end;
    int code = 1;
    while (std::fgets(line, sizeof line, maps) != nullptr && std::sscanf(line, "%lx-%lx", &begin, &end) == 2) {
        bool overlap = begin < reinterpret_cast<std::uintptr_t>(stack.base) &&
                       end > reinterpret_cast<std::uintptr_t>(stack.low);
        if (overlap) {  // the arguments and the environment lie above the stack's base, in the same mapping
            code = std::strstr(line, "[stack]") != nullptr ? 0 : 2;
            break;
        }
    }
    std::fclose(maps);
    return code;
}

TEST(Process, stack_does_not_reach_into_other_mappings_when_its_limit_is_raised) {
    if (with_sanitizer || with_emulator) {
        GTEST_SKIP() << "the mappings are those of a tool";
    }
    int code = exit_code_of_child(compare_stack_with_other_mappings);
    if (code == 77) {
        GTEST_SKIP() << "the limit can't be raised here";
    }
    EXPECT_EQ(code, 0);
}
#endif

unsigned long kibibytes_of(const char* name) {
    std::FILE* file = std::fopen("/proc/self/status", "r");
    char line[256];
    unsigned long value = 0;
    while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
        if (std::strncmp(line, name, std::strlen(name)) == 0) {
            value = std::strtoul(line + std::strlen(name), nullptr, 10);
        }
    }
    std::fclose(file);
    return value;
}

TEST(Process, that_locks_its_memory_pays_for_what_stacks_use_and_no_more) {
    if (with_sanitizer || with_emulator) {
        GTEST_SKIP() << "the tool's memory would be locked";
    }
    int code = exit_code_of_child([] {
        if (mlockall(MCL_FUTURE) != 0) {
            return 77;
        }
        for (std::size_t size : {small_stack, large_stack}) {
            StackPool pool;
            StackCache cache(size, pool);
            std::vector<Slot*> slots(100);
            unsigned long before = kibibytes_of("VmRSS:");
            for (Slot*& slot : slots) {
                slot = cache.acquire();
                if (slot == nullptr) {
                    return 1;
                }
                std::memset(slot->stack_base() - 100, 1, 100);
            }
            if (kibibytes_of("VmRSS:") - before > 2000) {
                return 2;
            }
            for (Slot* slot : slots) {
                cache.release(slot);
            }
        }
        return 0;
    });
    if (code == 77) {
        GTEST_SKIP() << "this process may not lock its memory";
    }
    EXPECT_EQ(code, 0);
}

// Memory that is locked after it was reserved can't be marked as a guard any more.
TEST(Process, that_locks_its_memory_later_has_guards_all_the_same) {
    if (with_sanitizer) {
        GTEST_SKIP() << "the tool's memory would be locked";
    }
    int code = exit_code_of_child([] {
        StackPool pool;
        StackCache cache(stackful::minimum_stack_size, pool);
        cache.release(cache.acquire());
        if (mlockall(MCL_CURRENT) != 0) {
            return 77;
        }
        Slot* reused = cache.acquire();
        Slot* slot = cache.acquire();
        if (reused == nullptr || slot == nullptr) {
            return 1;
        }
        slot->low[-1] = std::byte{1};
        return 0;
    });
    if (code == 77) {
        GTEST_SKIP() << "this process may not lock its memory";
    }
    EXPECT_EQ(code, -SIGSEGV);
}

TEST(Process, fork_leaves_both_processes_working) {
    static StackCache* cache;
    static Coroutine* coroutine;
    StackCache a_cache(large_stack);
    cache = &a_cache;
    Coroutine counter(a_cache, [](Coroutine& self, void*) {
        for (std::uintptr_t i = 1;; ++i) {
            self.suspend(reinterpret_cast<void*>(i));
        }
        return nullptr;
    });
    coroutine = &counter;
    counter.resume();
    int code = exit_code_of_child([] {
        // The suspended execution continues where it was suspended.
        if (coroutine->resume() != reinterpret_cast<void*>(2)) {
            return 1;
        }
        Coroutine fresh(*cache, [](Coroutine&, void* value) { return value; });
        int value;
        return fresh.resume(&value) == &value ? 0 : 2;
    });
    EXPECT_EQ(code, 0);
    EXPECT_EQ(counter.resume(), reinterpret_cast<void*>(2));
}

TEST(Process, fork_on_a_slot_leaves_both_processes_working) {
    StackCache cache(large_stack);
    Coroutine coroutine(cache, [](Coroutine&, void*) {
        pid_t child = fork();
        if (child == 0) {
            _exit(9);
        }
        int status = 0;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(WEXITSTATUS(status), 9);
        return nullptr;
    });
    coroutine.resume();
    EXPECT_TRUE(coroutine.finished());
}

TEST(Process, fork_while_another_thread_uses_the_reserve_does_not_deadlock) {
    if (with_thread_sanitizer) {
        GTEST_SKIP() << "ThreadSanitizer does not allow threads after such a fork";
    }
    static std::atomic<bool> stop;
    stop = false;
    std::thread busy([] {
        while (!stop) {
            StackCache cache(stackful::minimum_stack_size);
            cache.release(cache.acquire());
        }
    });
    for (int i = 0; i < 300; ++i) {
        ASSERT_EQ(exit_code_of_child([] {
                      alarm(20);
                      StackCache cache(stackful::minimum_stack_size);
                      Slot* slot = cache.acquire();
                      return slot != nullptr ? 0 : 1;
                  }),
                  0);
    }
    stop = true;
    busy.join();
}

TEST(ProcessDeathTest, guard_page_guards_after_a_fork) {
    if (with_sanitizer) {
        GTEST_SKIP() << "the sanitizer handles the signal";
    }
    static Slot* slot;
    StackCache cache(stackful::minimum_stack_size);
    slot = cache.acquire();
    int code = exit_code_of_child([] {
        slot->low[-1] = std::byte{1};
        return 0;
    });
    EXPECT_EQ(code, -SIGSEGV);
    cache.release(slot);
}

}  // namespace
