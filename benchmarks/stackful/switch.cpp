// Measures a context switch, compared with Boost.Context and the C library's swapcontext in the same run.
//
// Each benchmark switches between the thread's own stack and one other. The reported time is that of a round trip, and
// the counter `one_way` is half of it. There are two kinds, because of the return-address prediction that
// arch/x86_64.S explains:
//
//   bare     the switch alone, called from two different places in the code. This is usually published, but no
//            program looks like it.
//   nested   both executions switch at the end of the same five nested calls, and return from them afterwards, like
//            a switch that is wrapped in library functions.

#include <benchmark/benchmark.h>
#include <ucontext.h>

#ifdef HAVE_BOOST_CONTEXT
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>
#endif

#include <cstddef>
#include <memory>

#include "stackful/cache.hpp"
#include "stackful/context.hpp"

namespace {

constexpr std::size_t stack_size = 64 << 10;

void report(benchmark::State& state) {
    state.counters["one_way"] = benchmark::Counter(2.0 * static_cast<double>(state.iterations()),
                                                   benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// Prevents tail-call optimization.
inline void not_a_tail_call() { asm volatile(""); }

// Makes five nested calls; the innermost calls `Switch`.
template <typename Switch, int depth = 5>
[[gnu::noinline]] void nested(Switch& do_switch) {
    if constexpr (depth > 1) {
        nested<Switch, depth - 1>(do_switch);
    }
    else {
        do_switch();
    }
    not_a_tail_call();
}

template <typename Switch>
[[gnu::noinline]] void nested_many_times(Switch& do_switch, std::size_t times) {
    while (times-- > 0) {
        nested(do_switch);
    }
}

constexpr std::size_t batch = 1000;

constexpr auto for_ever = static_cast<std::size_t>(-1);

// Returns its argument, opaque to the compiler, which would otherwise specialize a function for each number.
std::size_t unknown(std::size_t number) {
    asm volatile("" : "+r"(number));
    return number;
}

stackful::Execution here;
stackful::Execution there;

struct StackfulSwitch {
    stackful::Execution& from;
    stackful::Execution& to;
    void operator()() { stackful::switch_to(from, to, nullptr); }
};

void stackful_bounce_bare(void*) {
    stackful::entered();
    for (;;) {
        stackful::switch_to(there, here, nullptr);
    }
}

void stackful_bare(benchmark::State& state) {
    stackful::StackCache cache{stackful::minimum_stack_size};
    stackful::Slot* slot = cache.acquire();
    stackful::prepare(there, *slot, stackful_bounce_bare);
    for (auto _ : state) {
        stackful::switch_to(here, there, nullptr);
    }
    stackful::retire(there, *slot);
    cache.release(slot);
    report(state);
}
BENCHMARK(stackful_bare);

void stackful_bounce_nested(void*) {
    stackful::entered();
    StackfulSwitch back{there, here};
    nested_many_times(back, unknown(for_ever));
}

void stackful_nested(benchmark::State& state) {
    stackful::StackCache cache{stackful::minimum_stack_size};
    stackful::Slot* slot = cache.acquire();
    stackful::prepare(there, *slot, stackful_bounce_nested);
    StackfulSwitch forth{here, there};
    while (state.KeepRunningBatch(batch)) {
        nested_many_times(forth, unknown(batch));
    }
    stackful::retire(there, *slot);
    cache.release(slot);
    report(state);
}
BENCHMARK(stackful_nested);

// The whole life of an execution: acquire a slot, prepare it, start from five calls deep, finish, release the slot.
[[gnu::noinline]] void* switch_at_one_place(stackful::Execution& from, stackful::Execution& to, void* transfer) {
    void* received = stackful::switch_to(from, to, transfer);
    not_a_tail_call();
    return received;
}

void live_and_die(void* transfer) {
    stackful::entered();
    switch_at_one_place(there, here, transfer);
    __builtin_unreachable();
}

void stackful_start_and_finish_nested(benchmark::State& state) {
    stackful::StackCache cache{stackful::minimum_stack_size};
    auto life = [&cache] {
        stackful::Slot* slot = cache.acquire();
        stackful::prepare(there, *slot, live_and_die);
        switch_at_one_place(here, there, nullptr);
        stackful::retire(there, *slot);
        cache.release(slot);
    };
    while (state.KeepRunningBatch(batch)) {
        nested_many_times(life, unknown(batch));
    }
}
BENCHMARK(stackful_start_and_finish_nested);

#ifdef HAVE_BOOST_CONTEXT

using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

struct FcontextSwitch {
    fcontext_t context;
    void operator()() { context = jump_fcontext(context, nullptr).fctx; }
};

void fcontext_bounce_bare(transfer_t transfer) {
    for (;;) {
        transfer = jump_fcontext(transfer.fctx, nullptr);
    }
}

void fcontext_bare(benchmark::State& state) {
    auto stack = std::make_unique<std::byte[]>(stack_size);
    fcontext_t context = make_fcontext(stack.get() + stack_size, stack_size, fcontext_bounce_bare);
    for (auto _ : state) {
        context = jump_fcontext(context, nullptr).fctx;
    }
    report(state);
}
BENCHMARK(fcontext_bare);

void fcontext_bounce_nested(transfer_t transfer) {
    FcontextSwitch back{transfer.fctx};
    nested_many_times(back, unknown(for_ever));
}

void fcontext_nested(benchmark::State& state) {
    auto stack = std::make_unique<std::byte[]>(stack_size);
    FcontextSwitch forth{make_fcontext(stack.get() + stack_size, stack_size, fcontext_bounce_nested)};
    while (state.KeepRunningBatch(batch)) {
        nested_many_times(forth, unknown(batch));
    }
    report(state);
}
BENCHMARK(fcontext_nested);

void fcontext_live_and_die(transfer_t transfer) {
    jump_fcontext(transfer.fctx, nullptr);
    __builtin_unreachable();
}

void fcontext_start_and_finish_nested(benchmark::State& state) {
    auto stack = std::make_unique<std::byte[]>(stack_size);
    auto life = [&stack] {
        jump_fcontext(make_fcontext(stack.get() + stack_size, stack_size, fcontext_live_and_die), nullptr);
    };
    while (state.KeepRunningBatch(batch)) {
        nested_many_times(life, unknown(batch));
    }
}
BENCHMARK(fcontext_start_and_finish_nested);

void boost_fiber_bare(benchmark::State& state) {
    boost::context::fiber fiber([](boost::context::fiber&& main) {
        for (;;) {
            main = std::move(main).resume();
        }
        return std::move(main);
    });
    for (auto _ : state) {
        fiber = std::move(fiber).resume();
    }
    report(state);
}
BENCHMARK(boost_fiber_bare);

#endif  // HAVE_BOOST_CONTEXT

ucontext_t ucontext_here;
ucontext_t ucontext_there;

void ucontext_bounce() {
    for (;;) {
        swapcontext(&ucontext_there, &ucontext_here);
    }
}

void libc_swapcontext_bare(benchmark::State& state) {
    auto stack = std::make_unique<std::byte[]>(stack_size);
    getcontext(&ucontext_there);
    ucontext_there.uc_stack.ss_sp = stack.get();
    ucontext_there.uc_stack.ss_size = stack_size;
    ucontext_there.uc_link = nullptr;
    makecontext(&ucontext_there, ucontext_bounce, 0);
    for (auto _ : state) {
        swapcontext(&ucontext_here, &ucontext_there);
    }
    report(state);
}
BENCHMARK(libc_swapcontext_bare);

}  // namespace
