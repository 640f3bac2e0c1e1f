// What this layer asks of the operating system. Each system has an implementation in this folder.
//
// Everything here but allocate() may be called in a signal handler.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#if defined(_MSC_VER)
using pid_t = int;
#endif

namespace inspect::system {

// False on systems where a process can't read the memory of another one.
extern const bool reads_other_processes;

// A reader of the memory of processes. A read fails where there is nothing, and never faults.
class ProcessMemory {
public:
    ProcessMemory() noexcept = default;
    ProcessMemory(const ProcessMemory&) = delete;
    ProcessMemory& operator=(const ProcessMemory&) = delete;
    ~ProcessMemory() { close(); }

    // Copies up to `bytes` bytes. Returns how many; 0 if the first is not readable.
    std::size_t read(pid_t process, std::uintptr_t from, void* to, std::size_t bytes) noexcept;

private:
    void close() noexcept;

    [[maybe_unused]] int files_[2] = {-1, -1};  // on some systems
};

// What the system says of a thread.
struct ThreadLook {
    bool is_still = false;       // it certainly waits or is stopped
    std::uint64_t switches = 0;  // how often it left a processor
};

// The thread of a process that has this number. The room is for what the system says.
ThreadLook look_at_thread(pid_t process, unsigned long native_id, std::span<char> room) noexcept;

// Makes a file so many bytes long, and its blocks available: a store into a mapping of a file for which the file system
// has no room would be a SIGBUS. Returns an error number, or 0.
int allocate(int descriptor, std::size_t bytes) noexcept;

}  // namespace inspect::system
