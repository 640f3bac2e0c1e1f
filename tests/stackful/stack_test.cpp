#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "coroutine.hpp"
#include "observed.hpp"
#include "stackful/limits.hpp"
#include "stackful/system/system.hpp"

namespace {

using stackful::Slot;
using stackful::SlotLayout;
using stackful::StackCache;

constexpr std::size_t page = 4096;

constexpr SlotLayout layout_of(std::size_t stack_size) { return SlotLayout::for_stack(stack_size, page); }

TEST(SlotLayout, promises_the_stack_that_was_asked_for_in_whole_pages_within_bounds) {
    EXPECT_EQ(layout_of(large_stack).stack_bytes, large_stack);
    EXPECT_EQ(layout_of(small_stack).stack_bytes, small_stack);
    EXPECT_EQ(layout_of(100'000).stack_bytes, 25 * page);
    EXPECT_EQ(layout_of(0).stack_bytes, stackful::minimum_stack_size);
    EXPECT_EQ(layout_of(static_cast<std::size_t>(-1)).stack_bytes, stackful::maximum_stack_size);
}

TEST(SlotLayout, gives_the_client_a_sixteenth_within_bounds) {
    EXPECT_EQ(layout_of(large_stack).client_bytes, 64u << 10);
    EXPECT_EQ(layout_of(512 << 10).client_bytes, 32u << 10);
    EXPECT_EQ(layout_of(small_stack).client_bytes, 16u << 10);
    EXPECT_EQ(layout_of(64 << 10).client_bytes, SlotLayout::least_client_bytes);
}

TEST(SlotLayout, has_a_guard_as_large_as_that_of_a_process_from_two_mebibytes_on) {
    EXPECT_EQ(layout_of(2 << 20).guard_bytes, 1u << 20);
    EXPECT_EQ(layout_of(large_stack).guard_bytes, 1u << 20);
    EXPECT_EQ(layout_of((2 << 20) - page).guard_bytes, SlotLayout::small_guard_bytes);
    EXPECT_EQ(layout_of(64 << 10).guard_bytes,
              stackful::addresses_are_scarce ? SlotLayout::scarce_guard_bytes : SlotLayout::small_guard_bytes);
}

TEST(SlotLayout, is_in_order_for_every_page_size_and_colour) {
    for (std::size_t page_size : {4u << 10, 16u << 10, 64u << 10}) {
        for (std::size_t size = 64 << 10; size <= (12 << 20); size += 123'456) {
            SlotLayout layout = SlotLayout::for_stack(size, page_size);
            EXPECT_EQ(layout.guard_bytes % page_size, 0u);
            EXPECT_EQ(layout.client_bytes % page_size, 0u);
            EXPECT_EQ(layout.size % page_size, 0u);
            for (std::size_t number = 0; number < 300; ++number) {
                std::size_t base = layout.base_of(number);
                std::size_t shared_page = base / page_size * page_size;
                EXPECT_LE(layout.guard_bytes + layout.stack_bytes, base);
                EXPECT_LE(shared_page + layout.client_bytes, layout.size);
                EXPECT_LT(base + layout.warm_above + SlotLayout::line, shared_page + layout.client_bytes);
                bool is_page_large = 8 * page_size > SlotLayout::warm_bytes;
                EXPECT_GT(layout.warm_below, is_page_large ? page_size : SlotLayout::warm_bytes);
                EXPECT_LE(layout.guard_bytes + layout.warm_below, base);
                EXPECT_LE(layout.guard_bytes + layout.deep_below, base);
                EXPECT_GE(base % page_size, SlotLayout::least_shared_stack);
                EXPECT_LE(base % page_size, SlotLayout::most_shared_stack);
                EXPECT_EQ(base % SlotLayout::line, 0u);
            }
        }
    }
}

// How many of `count` slots share the most common value of a property.
template <class Property>
std::size_t most_alike(std::size_t count, const SlotLayout& layout, Property property) {
    std::map<std::size_t, std::size_t> counts;
    std::size_t most = 0;
    for (std::size_t number = 0; number < count; ++number) {
        most = std::max(most, ++counts[property(number * layout.size + layout.base_of(number))]);
    }
    return most;
}

TEST(SlotLayout, neighbours_begin_in_other_lines_and_pages_of_the_caches) {
    constexpr std::size_t mebibyte = std::size_t{1} << 20;
    for (std::size_t size :
         {mebibyte, 2 * mebibyte, 4 * mebibyte, large_stack, 62 * mebibyte, small_stack, mebibyte / 16}) {
        SlotLayout layout = layout_of(size);
        std::size_t in_a_line = most_alike(1280, layout, [](std::size_t base) { return base % page; });
        std::size_t in_a_page = most_alike(1280, layout, [](std::size_t base) { return base / page % 128; });
        EXPECT_EQ(in_a_line, 1280 / SlotLayout::line_colours);
        EXPECT_EQ(in_a_page, 1280u / 128);
    }
}

TEST(SlotLayout, shares_a_span_of_page_table_entries_between_a_guard_and_the_page_below_it) {
    for (std::size_t size : {std::size_t{2} << 20, large_stack, std::size_t{20} << 20}) {
        SlotLayout layout = layout_of(size);
        std::set<std::size_t> spans;
        for (std::size_t number = 0; number < 100; ++number) {
            // As the pool places them: guards end where a span begins.
            std::size_t begin = SlotLayout::table_span - layout.guard_bytes + number * layout.size;
            spans.insert(begin / SlotLayout::table_span);
            spans.insert((begin + layout.guard_bytes - 1) / SlotLayout::table_span);
            spans.insert((begin + layout.base_of(number)) / SlotLayout::table_span);
        }
        EXPECT_EQ(spans.size(), 101u);
    }
}

TEST(StackSize, lets_twenty_thousand_slots_fit_where_addresses_are_scarce) {
    if (!stackful::addresses_are_scarce) {
        GTEST_SKIP() << "addresses have 64 bits";
    }
    std::size_t size = stackful::choose_stack_size(8 << 20, static_cast<std::size_t>(-1), page);
    EXPECT_EQ(size, 128u << 10);
    EXPECT_LT(std::uint64_t{20'000} * layout_of(size).size, std::uint64_t{2900} << 20);
}

TEST(StackSize, is_that_of_a_thread_within_bounds) {
    if (stackful::addresses_are_scarce) {
        GTEST_SKIP() << "there it is always the same";
    }
    constexpr std::size_t mebibyte = 1 << 20;
    constexpr auto plenty = static_cast<std::size_t>(-1);
    EXPECT_EQ(stackful::choose_stack_size(8 * mebibyte, plenty, page), 8 * mebibyte);
    EXPECT_EQ(stackful::choose_stack_size(0, plenty, page), 8 * mebibyte);
    EXPECT_EQ(stackful::choose_stack_size(64 << 10, plenty, page), mebibyte);
    EXPECT_EQ(stackful::choose_stack_size(1 << 30, plenty, page), 64 * mebibyte);
    EXPECT_EQ(stackful::choose_stack_size(3'000'000, plenty, page), 733 * page);
}

TEST(StackSize, is_halved_until_two_thousand_fit_into_half_of_the_room) {
    if (stackful::addresses_are_scarce) {
        GTEST_SKIP() << "there it is always the same";
    }
    constexpr std::size_t mebibyte = 1 << 20;
    constexpr std::size_t gibibyte = 1 << 30;
    EXPECT_EQ(stackful::choose_stack_size(8 * mebibyte, 40 * gibibyte, page), 8 * mebibyte);
    EXPECT_EQ(stackful::choose_stack_size(8 * mebibyte, 30 * gibibyte, page), 4 * mebibyte);
    EXPECT_EQ(stackful::choose_stack_size(8 * mebibyte, 16 * gibibyte, page), 2 * mebibyte);
    EXPECT_EQ(stackful::choose_stack_size(8 * mebibyte, 6 * gibibyte, page), mebibyte);
    EXPECT_EQ(stackful::choose_stack_size(8 * mebibyte, 1 * gibibyte, page), mebibyte / 4);
    EXPECT_EQ(stackful::choose_stack_size(8 * mebibyte, 0, page), mebibyte / 4);
}

TEST(Slot, is_writable_over_its_whole_range) {
    for (std::size_t size : {stackful::minimum_stack_size, small_stack, large_stack}) {
        StackCache cache(size);
        Slot* slot = cache.acquire();
        ASSERT_NE(slot, nullptr);
        EXPECT_LE(slot->low, slot->stack_end());
        use_stack(*slot, bytes_below(*slot));
        std::memset(slot->client_begin(), 0xCD, slot->client_bytes());
        EXPECT_EQ(slot->client_begin() + slot->client_bytes(), slot->client_end());
        EXPECT_EQ(slot->client_end()[-1], std::byte{0xCD});
        cache.release(slot);
    }
}

TEST(Slot, is_aligned) {
    StackCache cache(large_stack);
    Slot* slot = cache.acquire();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slot->stack_base()) % SlotLayout::line, 0u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slot->client_begin()) % SlotLayout::line, 0u);
    cache.release(slot);
}

std::size_t resident_pages(std::byte* begin, std::byte* end) {
    std::size_t page_size = stackful::system::page_size();
    auto pages = pages_in_memory(begin, static_cast<std::size_t>(end - begin) / page_size, page_size);
    EXPECT_FALSE(pages.empty());
    return static_cast<std::size_t>(std::count(pages.begin(), pages.end(), 1));
}

TEST(Trim, gives_back_everything_beyond_the_warm_part) {
    StackCache cache(large_stack);
    Slot* slot = cache.acquire();
    use_stack(*slot, bytes_below(*slot));
    std::memset(slot->client_begin(), 1, slot->client_bytes());
    stackful::trim(*slot);
    std::size_t least = 2 * SlotLayout::warm_bytes / stackful::system::page_size();
    std::size_t resident = resident_pages(slot->low, slot->high);
    EXPECT_GE(resident, least);
    EXPECT_LE(resident, least + 2);
    EXPECT_FALSE(was_used_beyond_warm(*slot, *slot->layout));
    cache.release(slot);
}

TEST(Trim, of_a_suspended_execution_keeps_what_it_uses) {
    StackCache cache(large_stack);
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        auto use = [](std::size_t bytes) {
            auto* memory = static_cast<char*>(__builtin_alloca(bytes));
            std::memset(memory, 1, bytes);
            asm volatile("" ::"r"(memory) : "memory");
        };
        volatile char kept[8192];
        for (volatile char& each : kept) {
            each = 42;
        }
        [&use]() __attribute__((noinline)) { use(400 << 10); }();
        self.suspend();
        for (volatile char& each : kept) {
            EXPECT_EQ(each, 42);
        }
        return nullptr;
    });
    coroutine.resume();
    std::size_t page_size = stackful::system::page_size();
    if (!with_address_sanitizer) {  // it may keep the variables elsewhere
        EXPECT_GT(resident_pages(coroutine.slot()->low, coroutine.slot()->high), (400u << 10) / page_size);
    }
    std::byte* client = coroutine.slot()->client_begin();
    std::memset(client, 7, coroutine.slot()->client_bytes());
    stackful::trim_suspended(*coroutine.slot(), coroutine.execution().context, client + 100);
    EXPECT_EQ(client[99], std::byte{7});
    if (!with_address_sanitizer) {
        EXPECT_LE(resident_pages(coroutine.slot()->low, coroutine.slot()->high), 8192 / page_size + 4);
    }
    coroutine.resume();
    EXPECT_TRUE(coroutine.finished());
}

}  // namespace
