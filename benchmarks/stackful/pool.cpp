// Measures acquiring and releasing a stack.

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "stackful/cache.hpp"

namespace {

using stackful::Slot;
using stackful::StackCache;

// The usual size for threads.
constexpr std::size_t stack_size = std::size_t{8} << 20;

// One slot, acquired and released repeatedly: the cost for a short-lived execution.
void acquire_and_release(benchmark::State& state) {
    StackCache cache(stack_size);
    for (auto _ : state) {
        Slot* slot = cache.acquire();
        benchmark::DoNotOptimize(slot);
        cache.release(slot);
    }
}
BENCHMARK(acquire_and_release);

// The same without trimming: the same free list, without reading the cache lines that show deep use.
void pop_and_push(benchmark::State& state) {
    StackCache cache(stack_size);
    Slot* free = cache.acquire();
    free->next_free = nullptr;
    std::size_t count = 1;
    benchmark::DoNotOptimize(&free);
    for (auto _ : state) {
        Slot* slot = free;
        free = slot->next_free;
        --count;
        benchmark::DoNotOptimize(slot);
        benchmark::ClobberMemory();
        slot->next_free = free;
        free = slot;
        ++count;
        benchmark::ClobberMemory();
    }
    cache.release(free);
}
BENCHMARK(pop_and_push);

// Acquires many slots, then releases all. With 4,096 the cache exchanges slots with the reserve.
void acquire_many_and_release_them(benchmark::State& state) {
    StackCache cache(stack_size);
    std::vector<Slot*> slots(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) {
        for (Slot*& slot : slots) {
            slot = cache.acquire();
        }
        for (Slot* slot : slots) {
            cache.release(slot);
        }
    }
    state.counters["each"] = benchmark::Counter(static_cast<double>(state.iterations() * state.range(0)),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(acquire_many_and_release_them)->Arg(16)->Arg(256)->Arg(4096);

// Each execution writes so many KiB of its stack. Up to 128 KiB a few slots are left untrimmed. Beyond that, each
// release decommits the memory, and each use commits it again.
void acquire_run_deep_and_release(benchmark::State& state) {
    StackCache cache(stack_size);
    auto depth = static_cast<std::size_t>(state.range(0)) << 10;
    for (auto _ : state) {
        Slot* slot = cache.acquire();
        std::memset(slot->stack_base() - depth, 1, depth);
        benchmark::ClobberMemory();
        cache.release(slot);
    }
}
BENCHMARK(acquire_run_deep_and_release)->Arg(8)->Arg(64)->Arg(256)->Arg(768);

// Maps a new stack, guard page and first touch included, and compares it with the C library's way.
void carve_a_new_slot(benchmark::State& state) {
    stackful::StackPool pool;
    StackCache cache(stackful::minimum_stack_size, pool);
    std::vector<Slot*> slots;
    for (auto _ : state) {
        slots.push_back(cache.acquire());
    }
    for (Slot* slot : slots) {
        cache.release(slot);
    }
}
BENCHMARK(carve_a_new_slot)->Iterations(20000);

void map_and_unmap_a_stack(benchmark::State& state) {
    for (auto _ : state) {
        auto* stack = static_cast<char*>(mmap(nullptr, stack_size, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0));
        mprotect(stack, 4096, PROT_NONE);
        stack[stack_size - 4096] = 1;
        munmap(stack, stack_size);
    }
}
BENCHMARK(map_and_unmap_a_stack);

}  // namespace
