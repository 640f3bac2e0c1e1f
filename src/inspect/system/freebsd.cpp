#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "inspect/system/system.hpp"

namespace inspect::system {

// It could by ptrace(), which stops the other process.
const bool reads_other_processes = false;

// Writes the memory into a pipe, and reads it back: where there is none, write() fails. A part that lies in one page,
// the smallest size of which is 4 KiB, is readable or not as a whole, and fits into a pipe.
std::size_t ProcessMemory::read(pid_t process, std::uintptr_t from, void* to, std::size_t bytes) noexcept {
    constexpr std::size_t page = 4096;
    if (process != ::getpid() || (files_[0] < 0 && ::pipe2(files_, O_CLOEXEC | O_NONBLOCK) != 0)) {
        return 0;
    }
    std::size_t part = std::min(bytes, page - from % page);
    ssize_t written = ::write(files_[1], reinterpret_cast<const void*>(from), part);
    ssize_t copied = written > 0 ? ::read(files_[0], to, static_cast<std::size_t>(written)) : 0;
    if (copied <= 0 || copied != written) {
        close();  // it may hold something
        return 0;
    }
    return static_cast<std::size_t>(copied);
}

void ProcessMemory::close() noexcept {
    for (int& file : files_) {
        if (file >= 0) {
            ::close(file);
        }
        file = -1;
    }
}

// Not asked yet: the system has it in kinfo_proc, for all threads of a process at once.
ThreadLook look_at_thread(pid_t, unsigned long, std::span<char>) noexcept { return {}; }

// Some file systems, ZFS among them, can't promise blocks.
int allocate(int descriptor, std::size_t bytes) noexcept {
    int error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
    if (error == EINVAL || error == EOPNOTSUPP) {
        error = ::ftruncate(descriptor, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
    }
    return error;
}

}  // namespace inspect::system
