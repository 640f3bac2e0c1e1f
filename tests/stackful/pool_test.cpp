#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "coroutine.hpp"
#include "observed.hpp"
#include "stackful/annotations.hpp"
#include "stackful/cache.hpp"
#include "stackful/usage.hpp"

namespace {

using stackful::minimum_stack_size;
using stackful::Slot;
using stackful::StackCache;
using stackful::StackPool;
using stackful::system::Commit;
using stackful::system::Guard;

// Each test runs with every way to commit and guard memory, not only with those that the system prefers.
struct Way {
    const char* name;
    Commit commit;
    Guard guard;
};

class Pool : public testing::TestWithParam<Way> {
protected:
    StackPool pool{GetParam().commit, GetParam().guard};

    std::vector<Slot*> acquire(StackCache& cache, std::size_t count) {
        std::vector<Slot*> slots(count);
        for (Slot*& slot : slots) {
            slot = cache.acquire();
            EXPECT_NE(slot, nullptr);
        }
        return slots;
    }
    static void release(StackCache& cache, const std::vector<Slot*>& slots) {
        for (Slot* slot : slots) {
            cache.release(slot);
        }
    }
};

INSTANTIATE_TEST_SUITE_P(WithMemory, Pool,
                         testing::Values(Way{"at_once_marked", Commit::at_once, Guard::marked},
                                         Way{"at_once_mapped", Commit::at_once, Guard::mapped},
                                         Way{"when_needed", Commit::when_needed, Guard::mapped}),
                         [](const auto& info) { return info.param.name; });

TEST_P(Pool, reuses_last_in_first_out) {
    StackCache cache(minimum_stack_size, pool);
    auto slots = acquire(cache, 3);
    release(cache, slots);
    EXPECT_EQ(cache.acquire(), slots[2]);
    EXPECT_EQ(cache.acquire(), slots[1]);
    EXPECT_EQ(cache.acquire(), slots[0]);
    release(cache, slots);
}

TEST_P(Pool, never_has_more_slots_of_the_largest_sizes_than_addresses) {
    if (!stackful::addresses_are_scarce) {
        GTEST_SKIP() << "addresses have 64 bits, and no number of slots comes near their end";
    }
    for (std::size_t size : {stackful::maximum_stack_size, stackful::maximum_stack_size / 2}) {
        StackCache cache(size, pool);
        std::vector<Slot*> slots;
        for (int i = 0; i < 20; ++i) {
            Slot* slot = cache.acquire();
            if (slot == nullptr) {
                break;
            }
            slots.push_back(slot);
            *slot->low = *(slot->high - 1) = std::byte{1};
        }
        std::sort(slots.begin(), slots.end());
        for (std::size_t i = 1; i < slots.size(); ++i) {
            EXPECT_LT(slots[i - 1]->high, slots[i]->low);
        }
        release(cache, slots);
    }
}

TEST_P(Pool, decommits_free_slots_except_a_page_of_a_few) {
    StackCache cache(minimum_stack_size, pool);
    auto slots = acquire(cache, 500);
    std::vector<std::pair<std::byte*, std::size_t>> ranges;  // the headers will be gone
    for (Slot* slot : slots) {
        ranges.emplace_back(slot->low, static_cast<std::size_t>(slot->high - slot->low));
        use_stack(*slot, bytes_below(*slot));
    }
    release(cache, slots);
    cache.decommit();
    EXPECT_EQ(pool.slots_in_use(), 0u);
    std::size_t pages = 0;
    std::size_t unmapped = 0;
    for (auto [low, size] : ranges) {
        std::size_t page = stackful::system::page_size();
        auto resident = pages_in_memory(low, size / page, page);
        unmapped += resident.empty();
        pages += static_cast<std::size_t>(std::count(resident.begin(), resident.end(), 1));
    }
    EXPECT_LE(pages, 2 * StackPool::most_warm);
    EXPECT_GE(unmapped, 100u);
    EXPECT_EQ(pool.slots(), slots.size() - unmapped);

    auto again = acquire(cache, 500);
    EXPECT_EQ(std::set<Slot*>(again.begin(), again.end()).size(), again.size());
    EXPECT_EQ(pool.slots(), again.size());
    for (std::size_t i = 0; i < again.size(); ++i) {
        EXPECT_LE(again[i]->low, again[i]->stack_end());
        use_stack(*again[i], bytes_below(*again[i]));
    }
    release(cache, again);
}

TEST_P(Pool, measures_what_slots_take) {
    StackCache cache(minimum_stack_size, pool);
    auto slots = acquire(cache, 20);
    std::size_t page = stackful::system::page_size();
    stackful::Usage shallow = stackful::measure_usage(pool);
    EXPECT_EQ(shallow.slots, 20u);
    EXPECT_EQ(shallow.slots_in_use, 20u);
    EXPECT_GE(shallow.reserved_bytes, 20 * cache.slot_bytes());
    EXPECT_EQ(shallow.resident_bytes, 20 * page);
    EXPECT_GT(shallow.table_bytes, 0u);
    EXPECT_LE(shallow.deepest_bytes, page);

    use_stack(*slots[7], 40000);
    stackful::Usage deep = stackful::measure_usage(pool);
    EXPECT_GE(deep.resident_bytes, shallow.resident_bytes + 40000 / page * page);
    EXPECT_GE(deep.deepest_bytes, 40000u - page);
    EXPECT_LE(deep.deepest_bytes, 40000u + page);
    EXPECT_GE(deep.table_bytes, shallow.table_bytes);

    release(cache, slots);
    stackful::Usage free = stackful::measure_usage(pool);
    EXPECT_EQ(free.slots, 20u);
    EXPECT_EQ(free.slots_in_use, 0u);
}

TEST_P(Pool, unmaps_and_maps_again_and_again) {
    StackCache cache(minimum_stack_size, pool);
    auto kept = acquire(cache, 40);  // spread over the first regions
    for (int round = 0; round < 4; ++round) {
        auto slots = acquire(cache, 4000);
        for (Slot* slot : slots) {
            std::memset(slot->stack_base() - 64, 1, 64);
        }
        EXPECT_EQ(pool.slots_in_use(), 4040u);
        release(cache, slots);
        cache.decommit();
        EXPECT_EQ(pool.slots_in_use(), 40u);
        EXPECT_LT(pool.slots(), 40 + 2 * StackPool::most_region_slots);
    }
    release(cache, kept);
}

TEST_P(Pool, never_hands_out_a_slot_twice) {
    StackCache cache(minimum_stack_size, pool);
    auto slots = acquire(cache, 3000);
    std::set<Slot*> distinct(slots.begin(), slots.end());
    EXPECT_EQ(distinct.size(), slots.size());
    for (Slot* slot : slots) {
        std::memset(slot->client_begin(), 1, 64);
        std::memset(slot->stack_base() - 64, 1, 64);
    }
    release(cache, slots);
}

TEST_P(Pool, slots_do_not_overlap) {
    StackCache cache(minimum_stack_size, pool);
    auto slots = acquire(cache, 100);
    std::sort(slots.begin(), slots.end());
    for (std::size_t i = 1; i < slots.size(); ++i) {
        EXPECT_LE(slots[i - 1]->high, slots[i]->begin());
    }
    release(cache, slots);
}

TEST_P(Pool, knows_how_many_slots_are_in_use) {
    StackCache cache(minimum_stack_size, pool);
    EXPECT_EQ(pool.slots_in_use(), 0u);
    auto slots = acquire(cache, 40);
    EXPECT_EQ(pool.slots_in_use(), 40u);
    cache.release(slots.back());
    slots.pop_back();
    EXPECT_EQ(pool.slots_in_use(), 39u);
    release(cache, slots);
    EXPECT_EQ(pool.slots_in_use(), 0u);
    EXPECT_EQ(pool.slots(), 40u);
}

TEST_P(Pool, cache_holds_a_bounded_number_of_slots) {
    StackCache cache(minimum_stack_size, pool);
    auto slots = acquire(cache, 5000);
    release(cache, slots);
    EXPECT_LE(cache.count(), StackCache::capacity + StackCache::check_period);
    EXPECT_GE(cache.count(), StackCache::capacity / 2);
    EXPECT_EQ(pool.slots_in_use(), 0u);
    auto again = acquire(cache, 5000);
    EXPECT_EQ(pool.slots(), 5000u);
    release(cache, again);
}

TEST_P(Pool, cache_returns_its_slots_when_it_goes) {
    std::vector<Slot*> slots;
    {
        StackCache cache(minimum_stack_size, pool);
        slots = acquire(cache, 10);
        release(cache, slots);
    }
    EXPECT_EQ(pool.slots_in_use(), 0u);
    StackCache cache(minimum_stack_size, pool);
    auto again = acquire(cache, 10);
    EXPECT_EQ(std::set<Slot*>(slots.begin(), slots.end()), std::set<Slot*>(again.begin(), again.end()));
    release(cache, again);
}

TEST_P(Pool, trim_gives_the_free_slots_to_the_reserve) {
    StackCache cache(minimum_stack_size, pool);
    release(cache, acquire(cache, 10));
    EXPECT_EQ(cache.count(), 10u);
    cache.trim();
    EXPECT_EQ(cache.count(), 0u);
    release(cache, acquire(cache, 10));
    EXPECT_EQ(pool.slots(), 10u);
}

TEST_P(Pool, hands_out_slots_of_the_size_asked_for) {
    StackCache cache(large_stack, pool);
    Slot* large = cache.acquire();
    EXPECT_EQ(cache.stack_size(), large_stack);
    EXPECT_EQ(static_cast<std::size_t>(large->stack_base() - large->stack_end()), large_stack);
    cache.set_stack_size(minimum_stack_size);
    Slot* small = cache.acquire();
    EXPECT_EQ(static_cast<std::size_t>(small->stack_base() - small->stack_end()), minimum_stack_size);
    cache.release(large);
    cache.release(small);
    EXPECT_EQ(cache.acquire(), small);
    cache.release(small);
    cache.set_stack_size(large_stack);
    EXPECT_EQ(cache.acquire(), large);
    cache.release(large);
}

TEST_P(Pool, takes_back_a_slot_in_a_cache_that_never_gave_one) {
    StackCache cache(minimum_stack_size, pool);
    Slot* slot = cache.acquire();
    {
        StackCache other(minimum_stack_size, pool);
        other.release(slot);
    }
    EXPECT_EQ(pool.slots_in_use(), 0u);
}

TEST_P(Pool, threads_return_slots_to_the_reserve) {
    for (int round = 0; round < 20; ++round) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([this] {
                StackCache cache(minimum_stack_size, pool);
                for (int repeat = 0; repeat < 3; ++repeat) {
                    release(cache, acquire(cache, 50));
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    EXPECT_EQ(pool.slots_in_use(), 0u);
    EXPECT_LE(pool.slots(), 4u * (50 + StackCache::refill));
}

TEST_P(Pool, slot_may_be_released_by_another_thread) {
    StackCache here(minimum_stack_size, pool);
    auto slots = acquire(here, 100);
    std::thread([&] {
        StackCache there(minimum_stack_size, pool);
        release(there, slots);
    }).join();
    EXPECT_EQ(pool.slots_in_use(), 0u);
    release(here, acquire(here, 100));
    EXPECT_EQ(pool.slots(), 100u);
}

TEST_P(Pool, slot_guarding_tells_the_guard_pages_from_everything_else) {
    StackCache cache(minimum_stack_size, pool);
    auto slots = acquire(cache, 20);
    for (Slot* slot : slots) {
        EXPECT_EQ(pool.slot_guarding(slot->low - 1), slot);
        EXPECT_EQ(pool.slot_guarding(slot->begin()), slot);
        EXPECT_EQ(pool.slot_guarding(slot->low), nullptr);
        EXPECT_EQ(pool.slot_guarding(slot->stack_base()), nullptr);
        EXPECT_EQ(pool.slot_guarding(slot->high - 1), nullptr);
    }
    EXPECT_EQ(pool.slot_guarding(&cache), nullptr);
    EXPECT_EQ(pool.slot_guarding(nullptr), nullptr);
    release(cache, slots);
}

TEST(SharedPool, is_the_default) {
    std::size_t before = StackPool::shared().slots_in_use();
    StackCache cache(large_stack);
    Slot* slot = cache.acquire();
    EXPECT_EQ(StackPool::shared().slots_in_use(), before + 1);
    EXPECT_EQ(stackful::slot_guarding(slot->low - 1), slot);
    cache.release(slot);
    EXPECT_EQ(StackPool::shared().slots_in_use(), before);
}

#if defined(STACKFUL_ADDRESS_SANITIZER)

TEST_P(Pool, gives_memory_back_without_the_red_zones_of_frames_that_never_returned) {
    std::byte* low = nullptr;
    {
        StackPool gone{GetParam().commit, GetParam().guard};
        StackCache cache(minimum_stack_size, gone);
        Slot* slot = cache.acquire();
        low = slot->low;
        __asan_poison_memory_region(low, 64);
        cache.release(slot);
    }
    EXPECT_EQ(__asan_region_is_poisoned(low, 64), nullptr);
}

TEST(Leaks, do_not_include_memory_that_only_a_suspended_stack_refers_to) {
    StackCache cache(large_stack);
    {
        Coroutine coroutine(cache, [](Coroutine& self, void*) -> void* {
            std::unique_ptr<int[]> kept(new int[1000]);
            self.suspend();
            return nullptr;
        });
        coroutine.resume();
        EXPECT_EQ(__lsan_do_recoverable_leak_check(), 0);
        coroutine.resume();
    }
}

#endif

}  // namespace
