#include <gtest/gtest.h>

#include <cfenv>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "backtrace.hpp"
#include "coroutine.hpp"
#include "observed.hpp"

namespace {

using stackful::Returning;
using stackful::StackCache;

// Two executions that take turns. Each arrival adds 1 to the number that is transferred.
struct Pair {
    stackful::Execution first;
    stackful::Execution second;
    StackCache cache{large_stack};
    stackful::Slot* slot = cache.acquire();
    int arrivals = 0;
    std::byte* arrived_at = nullptr;
    const char* refusal = nullptr;  // what an arrival throws

    explicit Pair(stackful::EntryPoint entry) {
        stackful::prepare(second, *slot, entry);
        stackful::begin_arriving(first, second, this);
    }
    ~Pair() {
        stackful::retire(second, *slot);
        cache.release(slot);
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    static void* arrive(void* x, void* y, void* transfer) {
        stackful::arrived(*static_cast<stackful::Execution*>(y));
        auto& pair = *static_cast<Pair*>(x);
        pair.arrivals += 1;
        pair.arrived_at = static_cast<std::byte*>(__builtin_frame_address(0));
        if (pair.refusal != nullptr) {
            throw std::runtime_error(std::exchange(pair.refusal, nullptr));
        }
        return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(transfer) + 1);
    }

    template <Returning returning>
    std::uintptr_t to_second(std::uintptr_t number) {
        return reinterpret_cast<std::uintptr_t>(stackful::switch_arriving<returning>(
            first, second, arrive, this, &second, reinterpret_cast<void*>(number)));
    }
    template <Returning returning>
    std::uintptr_t to_first(std::uintptr_t number) {
        return reinterpret_cast<std::uintptr_t>(
            stackful::switch_arriving<returning>(second, first, arrive, this, &first, reinterpret_cast<void*>(number)));
    }

    bool is_on_slot(const std::byte* address) const { return address > slot->low && address < slot->stack_base(); }
};

template <Returning returning>
void echo(void* transfer) {
    stackful::entered();
    auto& pair = *static_cast<Pair*>(transfer);
    std::uintptr_t number = 0;
    while (true) {
        number = pair.to_first<returning>(number);
    }
}

template <class Kind>
class Arrival : public testing::Test {};
template <Returning kind>
struct As {
    static constexpr Returning returning = kind;
};
using Kinds = testing::Types<As<Returning::by_ret>, As<Returning::by_jump>>;
TYPED_TEST_SUITE(Arrival, Kinds);

TYPED_TEST(Arrival, runs_on_the_stack_of_the_resumed_one_and_gives_the_result) {
    Pair pair(echo<TypeParam::returning>);
    EXPECT_EQ(pair.arrivals, 1);
    EXPECT_FALSE(pair.is_on_slot(pair.arrived_at));
    for (std::uintptr_t i = 10; i < 1000; ++i) {
        ASSERT_EQ(pair.to_second<TypeParam::returning>(i), i + 2);
    }
    EXPECT_EQ(pair.arrivals, 1 + 2 * 990);
    EXPECT_FALSE(pair.is_on_slot(pair.arrived_at));
}

TYPED_TEST(Arrival, keeps_the_rounding_mode_of_each_execution) {
    Pair pair([](void* transfer) {
        stackful::entered();
        auto& p = *static_cast<Pair*>(transfer);
        while (true) {
            std::fesetround(FE_DOWNWARD);
            std::uintptr_t received = p.to_first<TypeParam::returning>(0);
            EXPECT_EQ(std::fegetround(), FE_DOWNWARD) << received;
        }
    });
    std::fesetround(FE_UPWARD);
    pair.to_second<TypeParam::returning>(1);
    EXPECT_EQ(std::fegetround(), FE_UPWARD);
    std::fesetround(FE_TONEAREST);
}

TYPED_TEST(Arrival, may_throw_into_the_call_that_suspended) {
    Pair pair(echo<TypeParam::returning>);
    std::string caught;
    // The second execution is resumed without a throw, and resumes the first one with one.
    static Pair* thrower;
    thrower = &pair;
    auto throwing = [](void* x, void* y, void* transfer) -> void* {
        void* result = Pair::arrive(x, y, transfer);
        thrower->refusal = "refused";
        return result;
    };
    try {
        stackful::switch_arriving<TypeParam::returning>(pair.first, pair.second, throwing, &pair, &pair.second,
                                                        nullptr);
    }
    catch (const std::runtime_error& error) {
        caught = error.what();
    }
    EXPECT_EQ(caught, "refused");
    EXPECT_EQ(pair.to_second<TypeParam::returning>(5), 7u);
}

TYPED_TEST(Arrival, has_the_frames_of_the_resumed_one_above_it) {
    Pair pair(echo<TypeParam::returning>);
    static int frames;
    auto counting = [](void* x, void* y, void* transfer) -> void* {
        void* addresses[100];
        void* result = Pair::arrive(x, y, transfer);
        frames = find_calls(addresses, 100);
        return result;
    };
    stackful::switch_arriving<TypeParam::returning>(pair.first, pair.second, counting, &pair, &pair.second, nullptr);
    EXPECT_GE(frames, 2);  // the arrival, echo()
    EXPECT_LT(frames, 10);
}

TEST(Arrivals, of_both_kinds_and_plain_switches_may_resume_each_other) {
    Pair pair(echo<Returning::by_jump>);
    EXPECT_EQ(pair.to_second<Returning::by_ret>(1), 3u);
    EXPECT_EQ(pair.to_second<Returning::by_jump>(5), 7u);
    EXPECT_EQ(pair.to_second<Returning::by_ret>(9), 11u);
}

}  // namespace
