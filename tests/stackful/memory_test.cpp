// The memory that slots take, and release.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "coroutine.hpp"
#include "observed.hpp"
#include "stackful/system/system.hpp"

namespace {

using stackful::Slot;
using stackful::StackCache;
using stackful::StackPool;

std::size_t resident_pages(Slot* slot) {
    std::size_t page_size = stackful::system::page_size();
    auto pages = pages_in_memory(slot->low, static_cast<std::size_t>(slot->high - slot->low) / page_size, page_size);
    EXPECT_FALSE(pages.empty());
    return static_cast<std::size_t>(std::count(pages.begin(), pages.end(), 1));
}

std::size_t warm_pages(Slot* slot) {
    return (slot->layout->warm_below + slot->layout->warm_above) / stackful::system::page_size();
}

TEST(Memory, slot_that_ran_very_deep_gives_its_pages_back) {
    StackPool pool;
    StackCache cache(large_stack, pool);
    Slot* slot = cache.acquire();
    use_stack(*slot, 512 << 10);
    EXPECT_GE(resident_pages(slot), (512u << 10) / stackful::system::page_size());
    cache.release(slot);
    EXPECT_LE(resident_pages(slot), warm_pages(slot) + 2);
}

TEST(Memory, slot_whose_client_area_was_filled_gives_its_pages_back) {
    StackPool pool;
    StackCache cache(large_stack, pool);
    std::vector<Slot*> slots(40);
    for (Slot*& slot : slots) {
        slot = cache.acquire();
        std::memset(slot->client_begin(), 1, slot->client_bytes());
    }
    std::size_t untrimmed = 0;
    for (Slot* slot : slots) {
        cache.release(slot);
        untrimmed += resident_pages(slot) > warm_pages(slot) + 2;
    }
    EXPECT_LE(untrimmed, StackCache::most_untrimmed);
}

TEST(Memory, few_slots_are_left_untrimmed) {
    StackPool pool;
    StackCache cache(large_stack, pool);
    std::vector<Slot*> slots(100);
    for (Slot*& slot : slots) {
        slot = cache.acquire();
        use_stack(*slot, 64 << 10);
    }
    for (Slot* slot : slots) {
        cache.release(slot);
    }
    std::size_t untrimmed = 0;
    for (Slot* slot : slots) {
        untrimmed += resident_pages(slot) > warm_pages(slot) + 2;
    }
    EXPECT_EQ(untrimmed, StackCache::most_untrimmed);
    cache.trim();
    for (Slot* slot : slots) {
        EXPECT_LE(resident_pages(slot), warm_pages(slot));
    }
}

TEST(Memory, slot_used_deep_again_and_again_is_left_as_it_is) {
    StackPool pool;
    StackCache cache(large_stack, pool);
    Slot* slot = cache.acquire();
    for (int i = 0; i < 10; ++i) {
        use_stack(*slot, 64 << 10);
        cache.release(slot);
        EXPECT_GE(resident_pages(slot), (64u << 10) / stackful::system::page_size());
        ASSERT_EQ(cache.acquire(), slot);
    }
    cache.release(slot);
}

TEST(Memory, frame_that_skipped_the_telltale_line_is_found_in_time) {
    StackPool pool;
    StackCache cache(large_stack, pool);
    Slot* slot = cache.acquire();
    use_stack(*slot, 512 << 10);
    std::memset(slot->stack_base() - slot->layout->warm_below, 0, 64);
    for (std::size_t i = 0; i <= StackCache::trim_period; ++i) {
        cache.release(slot);
        ASSERT_EQ(cache.acquire(), slot);
    }
    EXPECT_LE(resident_pages(slot), warm_pages(slot) + 2);
    cache.release(slot);
}

TEST(Memory, release_of_another_size_trims) {
    StackPool pool;
    StackCache cache(large_stack, pool);
    Slot* slot = cache.acquire();
    use_stack(*slot, 100 << 10);
    cache.set_stack_size(stackful::minimum_stack_size);
    cache.release(slot);
    EXPECT_LE(resident_pages(slot), warm_pages(slot));
}

std::size_t resident_bytes() {
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    unsigned long all = 0, resident = 0;
    EXPECT_EQ(std::fscanf(file, "%lu %lu", &all, &resident), 2);
    std::fclose(file);
    return resident * stackful::system::page_size();
}

// The fallback keeps two of the C library's structures on each stack, 9 KiB on AArch64.
#if defined(STACKFUL_TESTS_USE_UCONTEXT)
constexpr bool fits_into_a_page = 2 * sizeof(ucontext_t) + 256 < stackful::SlotLayout::least_shared_stack;
#else
constexpr bool fits_into_a_page = true;
#endif

std::size_t page_table_bytes() {
    std::FILE* file = std::fopen("/proc/self/status", "r");
    char line[256];
    unsigned long kibibytes = 0;
    while (std::fgets(line, sizeof line, file) != nullptr && std::sscanf(line, "VmPTE: %lu", &kibibytes) != 1) {}
    std::fclose(file);
    return kibibytes << 10;
}

class ParkedExecutions : public testing::TestWithParam<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Stacks, ParkedExecutions, testing::Values(small_stack, large_stack),
                         [](const auto& info) { return std::to_string(info.param >> 10) + "_kib"; });

TEST_P(ParkedExecutions, touch_about_one_page_each_and_one_of_page_tables_at_most) {
    if (with_sanitizer) {
        GTEST_SKIP() << "would measure the sanitizer's memory";
    }
    if (!fits_into_a_page) {
        GTEST_SKIP() << "a ucontext_t is too large here";
    }
    constexpr std::size_t count = 10'000;
    StackPool pool;
    StackCache cache(GetParam(), pool);
    if (cache.slot_bytes() > std::numeric_limits<std::size_t>::max() / count) {
        GTEST_SKIP() << "there are not so many addresses";
    }
    // Executions without coroutines, so that only their stacks take memory.
    static stackful::Execution here;
    static std::vector<stackful::Execution> parked;
    static std::size_t running;
    std::vector<Slot*> slots(count);
    parked.resize(count);
    std::memset(static_cast<void*>(slots.data()), 0, count * sizeof(Slot*));
    std::size_t before = resident_bytes();
    std::size_t tables_before = page_table_bytes();
    for (running = 0; running < count; ++running) {
        slots[running] = cache.acquire();
        ASSERT_NE(slots[running], nullptr);
        stackful::prepare(parked[running], *slots[running], [](void*) {
            stackful::entered();
            for (;;) {
                stackful::switch_to(parked[running], here, nullptr);
            }
        });
        std::memset(slots[running]->client_begin(), 1, 256);
        stackful::switch_to(here, parked[running], nullptr);
    }
    double bytes = static_cast<double>(resident_bytes() - before) / count;
    double pages = bytes / static_cast<double>(stackful::system::page_size());
    if (!with_emulator) {  // the emulator's records of pages would be measured too
        EXPECT_LT(pages, 1.1);
        EXPECT_LT((page_table_bytes() - tables_before) / count, GetParam() == large_stack ? 4200u : 800u);
    }
    for (std::size_t i = 0; i < count; i += 1000) {
        EXPECT_EQ(resident_pages(slots[i]), 1u);
    }
    for (std::size_t i = 0; i < count; ++i) {
        stackful::retire(parked[i], *slots[i]);
        cache.release(slots[i]);
    }
}

}  // namespace
