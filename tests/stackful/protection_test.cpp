#include <gtest/gtest.h>

#include "coroutine.hpp"

#if defined(__aarch64__) && !defined(STACKFUL_TESTS_USE_UCONTEXT) && defined(__linux__)

#include <sys/auxv.h>

#include <sys/wait.h>

#include <cstdlib>
#include <cstring>

namespace {

using stackful::StackCache;

bool has_pointer_authentication() { return (getauxval(AT_HWCAP) & (1ul << 30)) != 0; }

// Where the return address of a suspended execution is: x30 in the picture in arch/aarch64.S.
std::byte* return_address(Coroutine& coroutine) {
    return static_cast<std::byte*>(coroutine.execution().context.stack_pointer) + 8;
}

void exit_here() { std::_Exit(3); }

// What somebody does who can write to memory, but has no key.
void resume_elsewhere(bool has_begun) {
    StackCache cache(large_stack);
    Coroutine coroutine(cache, [](Coroutine& self, void*) { return self.suspend(); });
    if (has_begun) {
        coroutine.resume();
    }
    void (*elsewhere)() = exit_here;
    std::memcpy(return_address(coroutine), &elsewhere, sizeof elsewhere);
    coroutine.resume();
}

class ProtectionDeathTest : public testing::TestWithParam<bool> {
    void SetUp() override {
        if (!has_pointer_authentication()) {
            GTEST_SKIP() << "the processor has no pointer authentication";
        }
    }
};
INSTANTIATE_TEST_SUITE_P(Executions, ProtectionDeathTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "suspended" : "not_begun"; });

TEST_P(ProtectionDeathTest, return_address_that_was_overwritten_is_not_returned_to) {
    EXPECT_EXIT(resume_elsewhere(GetParam()), [](int status) { return WIFSIGNALED(status); }, "");
}

}  // namespace

#endif
