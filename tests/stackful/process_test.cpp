// What happens to a whole process: overflow of a stack, exhaustion of memory, fork.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "coroutine.hpp"
#include "stackful/overflow.hpp"

namespace {

using stackful::Slot;
using stackful::StackCache;
using stackful::StackPool;

volatile bool stop_recursion = false;

[[gnu::noinline]] int recurse_for_ever(int depth) {
    volatile char frame[100];
    frame[0] = static_cast<char>(depth);
    return stop_recursion ? 0 : recurse_for_ever(depth + 1) + frame[0];
}

Slot* overflowing;

void overflow_a_stack() {
    static char handler_stack[64 << 10];
    stack_t stack{};
    stack.ss_sp = handler_stack;
    stack.ss_size = sizeof handler_stack;
    sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
        _exit(stackful::slot_guarding(info->si_addr) == overflowing ? 42 : 43);
    };
    sigaction(SIGSEGV, &action, nullptr);

    StackCache cache(stackful::minimum_slot_size);
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        overflowing = self.slot();
        recurse_for_ever(0);
        return nullptr;
    });
    coroutine.resume();
}

TEST(ProcessDeathTest, overflow_ends_in_a_signal_whose_address_tells_the_slot) {
    EXPECT_EXIT(overflow_a_stack(), testing::ExitedWithCode(42), "");
}

// Ends the process with 42 when the overflow of a stack is reported; the same for another fault in its guard page.
void fault_with_a_report(bool by_overflow) {
    ASSERT_TRUE(stackful::ensure_signal_stack());
    ASSERT_TRUE(stackful::report_overflows([](const Slot& slot) noexcept { _exit(&slot == overflowing ? 42 : 43); }));
    StackCache cache(stackful::minimum_slot_size);
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        overflowing = self.slot();
        self.suspend();
        recurse_for_ever(0);
        return nullptr;
    });
    coroutine.resume();
    if (by_overflow) {
        coroutine.resume();
    }
    *overflowing->begin() = std::byte{1};
}

#if defined(__x86_64__) || defined(__aarch64__)
TEST(ProcessDeathTest, overflow_is_reported) {
    EXPECT_EXIT(fault_with_a_report(true), testing::ExitedWithCode(42), "");
    EXPECT_EXIT(std::thread(fault_with_a_report, true).join(), testing::ExitedWithCode(42), "");
}
#endif

TEST(ProcessDeathTest, fault_in_the_guard_page_of_a_stack_that_does_not_run_is_not_reported_as_overflow) {
    if (with_sanitizer) {
        GTEST_SKIP() << "the sanitizer handles the signal";
    }
    EXPECT_EXIT(fault_with_a_report(false), testing::KilledBySignal(SIGSEGV), "");
}

TEST(ProcessDeathTest, write_to_each_end_of_the_guard_page_is_fatal) {
    if (with_sanitizer) {
        GTEST_SKIP() << "the sanitizer handles the signal";
    }
    for (auto commit : {stackful::system::Commit::at_once, stackful::system::Commit::when_needed}) {
        StackPool pool(commit);
        StackCache cache(stackful::minimum_slot_size, pool);
        Slot* slot = cache.acquire();
        EXPECT_EXIT(*slot->begin() = std::byte{1}, testing::KilledBySignal(SIGSEGV), "");
        EXPECT_EXIT(slot->low[-1] = std::byte{1}, testing::KilledBySignal(SIGSEGV), "");
        cache.release(slot);
    }
}

// Runs in a process of its own. 0 if all is as it should be, 77 if the limit is not enforced.
int exhaust_memory() {
    StackPool pool;
    StackCache cache(stackful::default_slot_size, pool);
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
    limit.rlim_cur = pages * static_cast<unsigned long>(getpagesize()) + (50 << 20);
    setrlimit(RLIMIT_AS, &limit);

    Slot* slot;
    while ((slot = cache.acquire()) != nullptr) {
        slots.push_back(slot);
        if (slots.size() > 100) {
            return 77;
        }
    }
    // All but little of the 50 MiB: the last regions are small.
    if (slots.size() < 45) {
        return 2;
    }
    if (cache.acquire() != nullptr || pool.slots_in_use() != slots.size()) {
        return 3;
    }
    // A slot that comes back can be had again ...
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

TEST(Process, fork_leaves_both_processes_working) {
    static StackCache* cache;
    static Coroutine* coroutine;
    StackCache a_cache;
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
        // What was suspended goes on, from where it was.
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
    StackCache cache;
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
            StackCache cache(stackful::minimum_slot_size);
            cache.release(cache.acquire());
        }
    });
    for (int i = 0; i < 300; ++i) {
        ASSERT_EQ(exit_code_of_child([] {
                      alarm(20);
                      StackCache cache(stackful::minimum_slot_size);
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
    StackCache cache(stackful::minimum_slot_size);
    slot = cache.acquire();
    int code = exit_code_of_child([] {
        slot->low[-1] = std::byte{1};
        return 0;
    });
    EXPECT_EQ(code, -SIGSEGV);
    cache.release(slot);
}

}  // namespace
