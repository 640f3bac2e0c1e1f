#include <fcntl.h>
#include <mach/mach.h>
#include <unistd.h>

#include <cerrno>

#include "inspect/system/system.hpp"

namespace inspect::system {

// The system gives the port of another process only to programs with an entitlement.
const bool reads_other_processes = false;

std::size_t ProcessMemory::read(pid_t process, std::uintptr_t from, void* to, std::size_t bytes) noexcept {
    vm_size_t copied = 0;
    bool is_read = process == ::getpid() &&
                   ::vm_read_overwrite(mach_task_self(), from, bytes, reinterpret_cast<vm_address_t>(to), &copied) ==
                       KERN_SUCCESS;
    return is_read ? copied : 0;
}

void ProcessMemory::close() noexcept {}

// The system does not count how often a thread left a processor.
ThreadLook look_at_thread(pid_t, unsigned long, std::span<char>) noexcept { return {}; }

int allocate(int descriptor, std::size_t bytes) noexcept {
    fstore_t wanted{.fst_flags = F_ALLOCATEALL,
                    .fst_posmode = F_PEOFPOSMODE,
                    .fst_offset = 0,
                    .fst_length = static_cast<off_t>(bytes),
                    .fst_bytesalloc = 0};
    bool is_allocated = ::fcntl(descriptor, F_PREALLOCATE, &wanted) == 0 || errno == ENOTSUP || errno == EINVAL;
    return is_allocated && ::ftruncate(descriptor, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
}

}  // namespace inspect::system
