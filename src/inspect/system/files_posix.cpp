#include "inspect/system/files.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "inspect/system/system.hpp"

namespace inspect::system {

std::size_t read_at(int descriptor, void* to, std::size_t bytes, std::int64_t offset) noexcept {
    ssize_t copied = ::pread(descriptor, to, bytes, static_cast<off_t>(offset));
    return copied > 0 ? static_cast<std::size_t>(copied) : 0;
}

void write_all(int descriptor, const char* text, std::size_t bytes) noexcept {
    while (bytes > 0) {
        ssize_t written = ::write(descriptor, text, bytes);
        if (written > 0) {
            text += written;
            bytes -= static_cast<std::size_t>(written);
        }
        else if (written == 0 || errno != EINTR) {
            return;
        }
    }
}

int MappedFile::map(int descriptor, std::size_t bytes) noexcept {
    if (int error = allocate(descriptor, bytes)) {
        return error;
    }
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) {
        return errno;
    }
#ifdef MADV_POPULATE_WRITE
    ::madvise(memory, bytes, MADV_POPULATE_WRITE);  // a failure means page faults later
#endif
    memory_ = memory;
    bytes_ = bytes;
    return 0;
}

void MappedFile::unmap() noexcept {
    ::munmap(memory_, bytes_);
    *this = MappedFile();
}

}  // namespace inspect::system
