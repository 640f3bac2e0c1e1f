#include <gtest/gtest.h>

#include <cfenv>
#include <cstdint>
#include <memory>
#include <vector>

#include "coroutine.hpp"

namespace {

using stackful::StackCache;

void* as_pointer(std::uintptr_t number) { return reinterpret_cast<void*>(number); }
std::uintptr_t as_number(void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

TEST(Switch, passes_values_both_ways) {
    StackCache cache(large_stack);
    Coroutine adder(cache, [](Coroutine& self, void* value) {
        for (int i = 0; i < 3; ++i) {
            value = self.suspend(as_pointer(as_number(value) + 1));
        }
        return as_pointer(as_number(value) + 100);
    });
    EXPECT_EQ(as_number(adder.resume(as_pointer(10))), 11u);
    EXPECT_EQ(as_number(adder.resume(as_pointer(20))), 21u);
    EXPECT_EQ(as_number(adder.resume(as_pointer(30))), 31u);
    EXPECT_FALSE(adder.finished());
    EXPECT_EQ(as_number(adder.resume(as_pointer(40))), 140u);
    EXPECT_TRUE(adder.finished());
}

TEST(Switch, runs_the_body_on_the_slot) {
    StackCache cache(large_stack);
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        volatile std::byte here{};
        // Under AddressSanitizer `here` may be on a fake stack; the frame is not.
        static_cast<void>(here);
        auto* frame = static_cast<std::byte*>(__builtin_frame_address(0));
        EXPECT_GT(frame, self.slot()->low);
        EXPECT_LT(frame, self.slot()->stack_base());
        return nullptr;
    });
    coroutine.resume();
    EXPECT_TRUE(coroutine.finished());
}

TEST(Switch, begins_with_an_aligned_stack) {
    StackCache cache(large_stack);
    Coroutine coroutine(cache, [](Coroutine&, void*) {
        struct alignas(16) Aligned {
            char bytes[16];
        } aligned;
        volatile auto address = reinterpret_cast<std::uintptr_t>(&aligned);
        EXPECT_EQ(address % 16, 0u);
        return nullptr;
    });
    coroutine.resume();
}

TEST(Switch, nests) {
    StackCache cache(large_stack);
    std::string order;
    Coroutine inner(cache, [&](Coroutine& self, void*) {
        order += "c";
        self.suspend();
        order += "f";
        return nullptr;
    });
    Coroutine middle(cache, [&](Coroutine& self, void*) {
        order += "b";
        inner.resume();
        order += "d";
        self.suspend();
        inner.resume();
        order += "g";
        return nullptr;
    });
    Coroutine outer(cache, [&](Coroutine&, void*) {
        order += "a";
        middle.resume();
        order += "e";
        middle.resume();
        order += "h";
        return nullptr;
    });
    outer.resume();
    EXPECT_EQ(order, "abcdefgh");
}

TEST(Switch, may_resume_from_another_stack_than_before) {
    StackCache cache(large_stack);
    int steps = 0;
    Coroutine counter(cache, [&](Coroutine& self, void*) {
        for (;;) {
            ++steps;
            self.suspend();
        }
        return nullptr;
    });
    Coroutine other(cache, [&](Coroutine&, void*) {
        counter.resume();
        return nullptr;
    });
    counter.resume();
    other.resume();
    counter.resume();
    EXPECT_EQ(steps, 3);
}

int sum_down_to_zero(Coroutine& self, int depth) {
    volatile char frame[200] = {};
    frame[0] = 1;
    if (depth == 0) {
        self.suspend();
        return 0;
    }
    return sum_down_to_zero(self, depth - 1) + frame[0];
}

TEST(Switch, keeps_a_deep_stack) {
    StackCache cache(large_stack);
    int depth = with_sanitizer ? 500 : 2000;
    std::vector<std::unique_ptr<Coroutine>> coroutines;
    for (int i = 0; i < 5; ++i) {
        coroutines.push_back(std::make_unique<Coroutine>(cache, [=](Coroutine& self, void*) {
            return as_pointer(static_cast<unsigned>(sum_down_to_zero(self, depth)));
        }));
    }
    for (auto& each : coroutines) {
        each->resume();
    }
    for (auto& each : coroutines) {
        EXPECT_EQ(as_number(each->resume()), static_cast<std::uintptr_t>(depth));
    }
}

// More values than there are registers, all needed after the switch, so the compiler keeps values in each callee-saved
// register.
template <typename Number>
[[gnu::noinline]] Number keep_values(Coroutine& self, volatile Number& seed) {
    Number a = seed + 1, b = seed + 2, c = seed + 3, d = seed + 4, e = seed + 5, f = seed + 6;
    Number g = seed + 7, h = seed + 8, i = seed + 9, j = seed + 10, k = seed + 11, l = seed + 12;
    self.suspend();
    a *= 2, b *= 3, c *= 5, d *= 7, e *= 11, f *= 13, g *= 17, h *= 19, i *= 23, j *= 29, k *= 31, l *= 37;
    self.suspend();
    return a + b + c + d + e + f + g + h + i + j + k + l;
}

// What it gives for a seed of 0, and the sum of the factors.
constexpr int first_sum = 2 + 6 + 15 + 28 + 55 + 78 + 119 + 152 + 207 + 290 + 341 + 444;
constexpr int sum_of_factors = 2 + 3 + 5 + 7 + 11 + 13 + 17 + 19 + 23 + 29 + 31 + 37;

template <typename Number>
void expect_values_kept() {
    StackCache cache(large_stack);
    Number results[3] = {};
    std::vector<std::unique_ptr<Coroutine>> coroutines;
    for (int n = 0; n < 3; ++n) {
        coroutines.push_back(std::make_unique<Coroutine>(cache, [&results, n](Coroutine& self, void*) {
            volatile Number seed = static_cast<Number>(100 * n);
            results[n] = keep_values<Number>(self, seed);
            return nullptr;
        }));
    }
    for (int round = 0; round < 3; ++round) {
        for (auto& each : coroutines) {
            each->resume();
        }
    }
    for (int n = 0; n < 3; ++n) {
        EXPECT_EQ(results[n], first_sum + static_cast<Number>(100 * n) * sum_of_factors);
    }
}

TEST(Switch, preserves_integer_registers) { expect_values_kept<long>(); }

TEST(Switch, preserves_floating_point_registers) { expect_values_kept<double>(); }

// Some processors have vector registers that a called function must preserve.
TEST(Switch, preserves_vector_registers) {
    using Vector [[gnu::vector_size(16)]] = double;
    StackCache cache(large_stack);
    Vector results[3] = {};
    std::vector<std::unique_ptr<Coroutine>> coroutines;
    for (int n = 0; n < 3; ++n) {
        coroutines.push_back(std::make_unique<Coroutine>(cache, [&results, n](Coroutine& self, void*) {
            volatile Vector seed = {100.0 * n, 1000.0 * n};
            results[n] = keep_values<Vector>(self, seed);
            return nullptr;
        }));
    }
    for (int round = 0; round < 3; ++round) {
        for (auto& each : coroutines) {
            each->resume();
        }
    }
    for (int n = 0; n < 3; ++n) {
        EXPECT_EQ(results[n][0], first_sum + 100.0 * n * sum_of_factors);
        EXPECT_EQ(results[n][1], first_sum + 1000.0 * n * sum_of_factors);
    }
}

#if defined(__x86_64__) && !defined(_WIN32)
// All six registers at once, independent of the compiler.
TEST(Switch, preserves_each_callee_saved_register) {
    static stackful::Execution host;
    static stackful::Execution guest;
    if (with_sanitizer) {
        GTEST_SKIP() << "calls the bare primitive";
    }
    StackCache cache(large_stack);
    stackful::Slot* slot = cache.acquire();
    stackful::prepare(guest, *slot, [](void*) {
        for (;;) {
            asm volatile(
                "xor %%ebx, %%ebx; xor %%r12d, %%r12d; xor %%r13d, %%r13d;"
                "xor %%r14d, %%r14d; xor %%r15d, %%r15d" ::
                    : "rbx", "r12", "r13", "r14", "r15");
            stackful::switch_to(guest, host, nullptr);
        }
    });
    void* from = &host.context;
    void* to = guest.context.stack_pointer;
    void* transfer = nullptr;
    long changed = reinterpret_cast<long>(&stackful::stackful_switch);
    asm volatile(
        "leaq -128(%%rsp), %%rsp\n\t"
        "pushq %%rbp; movq %%rsp, %%rbx; andq $-16, %%rsp; pushq %%rbx; pushq %%rbx\n\t"
        "movq $11, %%rbx; movq $12, %%r12; movq $13, %%r13; movq $14, %%r14; movq $15, %%r15; movq $16, %%rbp\n\t"
        "call *%%rax\n\t"
        "xorl %%eax, %%eax\n\t"
        "subq $11, %%rbx; orq %%rbx, %%rax\n\t"
        "subq $12, %%r12; orq %%r12, %%rax\n\t"
        "subq $13, %%r13; orq %%r13, %%rax\n\t"
        "subq $14, %%r14; orq %%r14, %%rax\n\t"
        "subq $15, %%r15; orq %%r15, %%rax\n\t"
        "subq $16, %%rbp; orq %%rbp, %%rax\n\t"
        "popq %%rbx; popq %%rbx; movq %%rbx, %%rsp; popq %%rbp\n\t"
        "leaq 128(%%rsp), %%rsp"
        : "+a"(changed), "+D"(from), "+S"(to), "+d"(transfer)
        :
        : "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
    EXPECT_EQ(changed, 0);
    stackful::retire(guest, *slot);
    cache.release(slot);
}
#endif

double one_third() {
    volatile double one = 1, three = 3;
    volatile double third = one / three;  // the x87 would keep more digits
    return third;
}

TEST(Switch, gives_each_execution_its_own_rounding_mode) {
    StackCache cache(large_stack);
    double nearest = one_third();
    Coroutine upward(cache, [](Coroutine& self, void*) {
        std::fesetround(FE_UPWARD);
        static double third;
        third = one_third();
        self.suspend(&third);
        EXPECT_EQ(std::fegetround(), FE_UPWARD);
        EXPECT_EQ(one_third(), third);
        return nullptr;
    });
    double upwards = *static_cast<double*>(upward.resume());
    EXPECT_GT(upwards, nearest);
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    EXPECT_EQ(one_third(), nearest);
    upward.resume();
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
}

#if defined(__x86_64__) && !defined(_WIN32)
unsigned short x87_control_word() {
    unsigned short word;
    asm volatile("fnstcw %0" : "=m"(word));
    return word;
}

unsigned mxcsr_control_bits() {
    unsigned word;
    asm volatile("stmxcsr %0" : "=m"(word));
    return word & ~0x3Fu;  // the others are status
}

TEST(Switch, gives_each_execution_its_own_control_words) {
    StackCache cache(large_stack);
    unsigned short x87 = x87_control_word();
    unsigned mxcsr = mxcsr_control_bits();
    static const unsigned short single_precision = x87 & ~0x300;
    static const unsigned flush_to_zero = mxcsr | 0x8000;
    Coroutine other(cache, [](Coroutine& self, void*) {
        asm volatile("fldcw %0; ldmxcsr %1" ::"m"(single_precision), "m"(flush_to_zero));
        self.suspend();
        EXPECT_EQ(x87_control_word(), single_precision);
        EXPECT_EQ(mxcsr_control_bits(), flush_to_zero);
        return nullptr;
    });
    other.resume();
    EXPECT_EQ(x87_control_word(), x87);
    EXPECT_EQ(mxcsr_control_bits(), mxcsr);
    other.resume();
    EXPECT_EQ(x87_control_word(), x87);
    EXPECT_EQ(mxcsr_control_bits(), mxcsr);
}
#endif

TEST(Switch, starts_with_the_rounding_mode_that_prepare_was_called_with) {
    StackCache cache(large_stack);
    std::fesetround(FE_DOWNWARD);
    Coroutine coroutine(cache, [](Coroutine&, void*) {
        EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
        return nullptr;
    });
    std::fesetround(FE_TONEAREST);
    coroutine.resume();
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
}

TEST(Switch, works_a_hundred_thousand_times) {
    StackCache cache(large_stack);
    Coroutine counter(cache, [](Coroutine& self, void*) {
        for (std::uintptr_t i = 1;; ++i) {
            self.suspend(as_pointer(i));
        }
        return nullptr;
    });
    for (std::uintptr_t i = 1; i <= 100'000; ++i) {
        ASSERT_EQ(as_number(counter.resume()), i);
    }
}

TEST(Switch, starts_and_finishes_ten_thousand_executions_on_one_slot) {
    StackCache cache(large_stack);
    for (std::uintptr_t i = 0; i < 10'000; ++i) {
        Coroutine coroutine(cache, [](Coroutine&, void* value) { return value; });
        ASSERT_EQ(as_number(coroutine.resume(as_pointer(i))), i);
    }
}

TEST(Switch, keeps_a_thousand_executions_apart) {
    StackCache cache(stackful::minimum_stack_size);
    std::vector<std::unique_ptr<Coroutine>> coroutines;
    for (int i = 0; i < 1000; ++i) {
        coroutines.push_back(std::make_unique<Coroutine>(cache, [](Coroutine& self, void* value) {
            std::uintptr_t sum = 0;
            for (int round = 0; round < 10; ++round) {
                sum += as_number(value);
                value = self.suspend();
            }
            return as_pointer(sum);
        }));
    }
    for (int round = 0; round < 10; ++round) {
        for (std::size_t i = 0; i < coroutines.size(); ++i) {
            coroutines[i]->resume(as_pointer(i));
        }
    }
    for (std::size_t i = 0; i < coroutines.size(); ++i) {
        EXPECT_EQ(as_number(coroutines[i]->resume()), 10 * i);
    }
}

}  // namespace
