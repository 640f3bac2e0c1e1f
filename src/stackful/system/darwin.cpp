// The operating-system interface on macOS: what bsd.cpp does not have.

#include <mach/vm_statistics.h>
#include <pthread.h>
#include <sys/resource.h>

#include "stackful/system/bsd.hpp"
#include "stackful/system/posix.hpp"
#include "stackful/system/system.hpp"

namespace stackful::system {

// For whoever runs vmmap: it lists these mappings as stacks.
int no_file() noexcept { return static_cast<int>(VM_MAKE_TAG(VM_MEMORY_STACK)); }

// The system has no such limit: its RLIMIT_AS is about memory in use.
std::size_t address_space_left() noexcept { return no_limit; }

Bounds thread_stack() noexcept {
    auto* base = static_cast<std::byte*>(::pthread_get_stackaddr_np(::pthread_self()));
    return {base - ::pthread_get_stacksize_np(::pthread_self()), base};
}

std::size_t stack_limit() noexcept {
    std::size_t limit = soft_limit(RLIMIT_STACK);
    return limit != no_limit ? limit : 0;
}

}  // namespace stackful::system
