// The operating-system interface on FreeBSD: what bsd.cpp does not have.

#include <sys/types.h>
// The order matters to the system's headers.
#include <pthread.h>
#include <pthread_np.h>
#include <sys/resource.h>
#include <sys/sysctl.h>
#include <sys/user.h>
#include <unistd.h>

#include "stackful/system/bsd.hpp"
#include "stackful/system/posix.hpp"
#include "stackful/system/system.hpp"

namespace stackful::system {

namespace {

std::size_t address_space_used() noexcept {
    int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, ::getpid()};
    kinfo_proc process{};
    std::size_t bytes = sizeof process;
    return ::sysctl(name, 4, &process, &bytes, nullptr, 0) == 0 ? process.ki_size : 0;
}

}  // namespace

int no_file() noexcept { return -1; }

std::size_t address_space_left() noexcept { return left_of(soft_limit(RLIMIT_AS), address_space_used()); }

Bounds thread_stack() noexcept {
    pthread_attr_t attributes;
    if (::pthread_attr_init(&attributes) != 0) {
        return {};
    }
    void* low = nullptr;
    std::size_t size = 0;
    if (::pthread_attr_get_np(::pthread_self(), &attributes) == 0) {
        ::pthread_attr_getstack(&attributes, &low, &size);
    }
    ::pthread_attr_destroy(&attributes);
    return {static_cast<std::byte*>(low), static_cast<std::byte*>(low) + size};
}

// By default the limit is 512 MiB, so that no program runs into it. That says nothing of what programs need.
std::size_t stack_limit() noexcept {
    constexpr std::size_t most_deliberate = std::size_t{64} << 20;
    std::size_t limit = soft_limit(RLIMIT_STACK);
    return limit <= most_deliberate ? limit : 0;
}

}  // namespace stackful::system
