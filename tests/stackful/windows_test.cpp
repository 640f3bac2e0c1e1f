// What is special to Windows: the registers that its ABI preserves, the bounds of stacks, their growth and overflow.

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "coroutine.hpp"
#include "observed.hpp"
#include "stackful/overflow.hpp"

namespace {

using stackful::StackCache;

struct Bounds {
    std::byte* low;
    std::byte* base;

    static Bounds now() {
        ULONG_PTR low;
        ULONG_PTR base;
        GetCurrentThreadStackLimits(&low, &base);
        return {reinterpret_cast<std::byte*>(low), reinterpret_cast<std::byte*>(base)};
    }
    bool operator==(const Bounds&) const = default;
};

TEST(Windows, the_system_knows_the_bounds_of_the_running_stack) {
    StackCache cache(large_stack);
    Bounds own = Bounds::now();
    Bounds others{};
    Coroutine coroutine(cache, [&others](Coroutine& self, void*) {
        others = Bounds::now();
        self.suspend();
        EXPECT_EQ(Bounds::now(), others);
        return nullptr;
    });
    coroutine.resume();
    EXPECT_EQ(others, (Bounds{coroutine.slot()->low, coroutine.slot()->stack_base()}));
    EXPECT_EQ(Bounds::now(), own);
    coroutine.resume();
    EXPECT_EQ(Bounds::now(), own);
}

TEST(Windows, a_call_on_the_stack_of_the_thread_has_its_bounds) {
    StackCache cache(large_stack);
    static Bounds below;
    Bounds own = Bounds::now();
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        Bounds before = Bounds::now();
        stackful::call_below(
            self.execution(), self.resumer(),
            [](void*) -> void* {
                below = Bounds::now();
                return nullptr;
            },
            nullptr);
        EXPECT_EQ(Bounds::now(), before);
        return nullptr;
    });
    coroutine.resume();
    EXPECT_EQ(below, own);
}

TEST(Windows, the_own_stack_of_a_thread_is_known_on_another_one) {
    StackCache cache(large_stack);
    stackful::system::Bounds own = stackful::system::thread_stack();
    EXPECT_TRUE(own.holds(&own));
    stackful::system::Bounds seen{};
    Coroutine coroutine(cache, [&seen](Coroutine&, void*) {
        seen = stackful::system::thread_stack();
        return nullptr;
    });
    coroutine.resume();
    EXPECT_EQ(seen.low, own.low);
    EXPECT_EQ(seen.base, own.base);
}

[[gnu::noinline]] int recurse(int depth) {
    volatile char frame[1000];
    frame[0] = static_cast<char>(depth);
    return depth == 0 ? 0 : recurse(depth - 1) + (frame[0] != static_cast<char>(depth));
}

TEST(Windows, a_stack_is_committed_as_it_grows_and_given_back) {
    StackCache cache(large_stack);
    std::size_t page = stackful::system::page_size();
    auto committed = [page](const stackful::Slot& slot) {
        std::size_t bytes = 0;
        for (std::byte* place = slot.low; place < slot.stack_base(); place += page) {
            MEMORY_BASIC_INFORMATION memory{};
            EXPECT_NE(VirtualQuery(place, &memory, sizeof memory), 0u);
            bytes += memory.State == MEM_COMMIT ? page : 0;
        }
        return bytes;
    };
    stackful::Slot* slot = nullptr;
    for (int round = 0; round < 3; ++round) {
        Coroutine coroutine(cache, [](Coroutine& self, void*) {
            EXPECT_EQ(recurse(4000), 0);
            self.suspend();
            EXPECT_EQ(recurse(6000), 0);
            return nullptr;
        });
        slot = coroutine.slot();
        EXPECT_LT(committed(*slot), 64u << 10);
        coroutine.resume();
        EXPECT_GT(committed(*slot), 4000u << 10);
        stackful::trim_suspended(*slot, coroutine.execution().context, slot->client_end());
        EXPECT_LT(committed(*slot), 64u << 10);
        coroutine.resume();
        EXPECT_TRUE(coroutine.finished());
    }
    EXPECT_LT(committed(*slot), 64u << 10);
}

TEST(Windows, structured_exceptions_are_handled_on_a_slot) {
    static int handled;
    void* handler = AddVectoredExceptionHandler(1, [](EXCEPTION_POINTERS* exception) noexcept -> LONG {
        if (exception->ExceptionRecord->ExceptionCode != 0xE0001234) {
            return EXCEPTION_CONTINUE_SEARCH;
        }
        ++handled;
        return EXCEPTION_CONTINUE_EXECUTION;
    });
    StackCache cache(large_stack);
    Coroutine coroutine(cache, [](Coroutine&, void*) {
        RaiseException(0xE0001234, 0, 0, nullptr);
        return nullptr;
    });
    coroutine.resume();
    EXPECT_EQ(handled, 1);
    RemoveVectoredExceptionHandler(handler);
}

TEST(WindowsDeathTest, an_overflow_is_reported_and_ends_the_process) {
    auto overflow = [] {
        stackful::ensure_signal_stack();
        stackful::report_overflows([](const stackful::Slot& slot) noexcept {
            constexpr char text[] = "the stack of the slot overflowed\n";
            stackful::system::write_error(slot.layout->stack_bytes == large_stack ? text : "another\n",
                                          sizeof text - 1);
        });
        StackCache cache(large_stack);
        Coroutine coroutine(cache, [](Coroutine&, void*) -> void* {
            return reinterpret_cast<void*>(static_cast<std::intptr_t>(recurse(1 << 30)));
        });
        coroutine.resume();
    };
    EXPECT_DEATH(overflow(), "the stack of the slot overflowed");
}

// All of them at once, independent of the compiler.
TEST(Windows, a_switch_preserves_each_callee_saved_register) {
    static stackful::Execution host;
    static stackful::Execution guest;
    StackCache cache(large_stack);
    stackful::Slot* slot = cache.acquire();
    stackful::prepare(guest, *slot, [](void*) {
        for (;;) {
            asm volatile(
                "xorl %%ebx, %%ebx; xorl %%esi, %%esi; xorl %%edi, %%edi; xorl %%r12d, %%r12d;"
                "xorl %%r13d, %%r13d; xorl %%r14d, %%r14d; xorl %%r15d, %%r15d;"
                "pxor %%xmm6, %%xmm6; pxor %%xmm7, %%xmm7; pxor %%xmm8, %%xmm8; pxor %%xmm9, %%xmm9;"
                "pxor %%xmm10, %%xmm10; pxor %%xmm11, %%xmm11; pxor %%xmm12, %%xmm12; pxor %%xmm13, %%xmm13;"
                "pxor %%xmm14, %%xmm14; pxor %%xmm15, %%xmm15" ::
                    : "rbx", "rsi", "rdi", "r12", "r13", "r14", "r15", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                      "xmm12", "xmm13", "xmm14", "xmm15");
            stackful::switch_to(guest, host, nullptr);
        }
    });
    struct alignas(16) Vector {
        std::uint64_t halves[2];
    };
    static Vector before[10];
    static Vector after[10];
    for (std::uint64_t i = 0; i < 10; ++i) {
        before[i] = {{0x100 + i, 0x200 + i}};
    }
    static std::uint64_t registers[7];
    static auto* function = &stackful::stackful_switch;
    static auto* from = &host.context;
    static auto* values = before;
    // rbx, rsi, rdi and r12 to r15 are 11 to 17; xmm6 to xmm15 are `before`.
    asm volatile(
        "movq %[function], %%rax; movq %[from], %%rcx; movq %[to], %%rdx; xorl %%r8d, %%r8d\n\t"
        "movq %[before], %%r9\n\t"
        "movaps (%%r9), %%xmm6; movaps 16(%%r9), %%xmm7; movaps 32(%%r9), %%xmm8; movaps 48(%%r9), %%xmm9\n\t"
        "movaps 64(%%r9), %%xmm10; movaps 80(%%r9), %%xmm11; movaps 96(%%r9), %%xmm12; movaps 112(%%r9), %%xmm13\n\t"
        "movaps 128(%%r9), %%xmm14; movaps 144(%%r9), %%xmm15\n\t"
        "pushq %%rbp; movq %%rsp, %%rbp; andq $-16, %%rsp; subq $32, %%rsp\n\t"
        "movq $11, %%rbx; movq $12, %%rsi; movq $13, %%rdi; movq $14, %%r12; movq $15, %%r13; movq $16, %%r14\n\t"
        "movq $17, %%r15\n\t"
        "call *%%rax\n\t"
        "movq %%rbp, %%rsp; popq %%rbp\n\t"
        "leaq %[registers], %%rax\n\t"
        "movq %%rbx, (%%rax); movq %%rsi, 8(%%rax); movq %%rdi, 16(%%rax); movq %%r12, 24(%%rax)\n\t"
        "movq %%r13, 32(%%rax); movq %%r14, 40(%%rax); movq %%r15, 48(%%rax)\n\t"
        "leaq %[after], %%rax\n\t"
        "movaps %%xmm6, (%%rax); movaps %%xmm7, 16(%%rax); movaps %%xmm8, 32(%%rax); movaps %%xmm9, 48(%%rax)\n\t"
        "movaps %%xmm10, 64(%%rax); movaps %%xmm11, 80(%%rax); movaps %%xmm12, 96(%%rax)\n\t"
        "movaps %%xmm13, 112(%%rax); movaps %%xmm14, 128(%%rax); movaps %%xmm15, 144(%%rax)"
        : [registers] "=m"(registers), [after] "=m"(after)
        : [function] "m"(function), [from] "m"(from), [to] "m"(guest.context.stack_pointer), [before] "m"(values)
        : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm6",
          "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
    for (std::uint64_t i = 0; i < 7; ++i) {
        EXPECT_EQ(registers[i], 11 + i);
    }
    EXPECT_EQ(std::memcmp(before, after, sizeof before), 0);
    stackful::retire(guest, *slot);
    cache.release(slot);
}

}  // namespace
