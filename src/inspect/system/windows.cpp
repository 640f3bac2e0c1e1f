// What this layer asks of Windows.

#include "inspect/system/system.hpp"
#include "stackful/system/threads.hpp"
#include "stackful/system/windows_header.hpp"

namespace inspect::system {

const bool reads_other_processes = false;

// Reads the memory of this process.
std::size_t ProcessMemory::read(pid_t process, std::uintptr_t from, void* to, std::size_t bytes) noexcept {
    if (process != stackful::system::process_id()) {
        return 0;
    }
    SIZE_T copied = 0;
    BOOL all = ::ReadProcessMemory(::GetCurrentProcess(), reinterpret_cast<const void*>(from), to, bytes, &copied);
    return all ? bytes : copied;
}

void ProcessMemory::close() noexcept {}

ThreadLook look_at_thread(pid_t, unsigned long, std::span<char>) noexcept { return {}; }

}  // namespace inspect::system
