// Open files, by descriptor. The functions may be called in a signal handler.

#pragma once

#include <cstddef>
#include <cstdint>

namespace inspect::system {

// Copies up to `bytes` bytes that begin at an offset. Returns how many; 0 at the end, and if they can't be read.
std::size_t read_at(int descriptor, void* to, std::size_t bytes, std::int64_t offset) noexcept;

// Writes all of the text, if the file takes it.
void write_all(int descriptor, const char* text, std::size_t bytes) noexcept;

// A file that is mapped into memory, and shared with whoever else maps or reads it.
class MappedFile {
public:
    // Makes the file so many bytes long, and maps it. 0, or the number of an error.
    int map(int descriptor, std::size_t bytes) noexcept;
    void unmap() noexcept;

    void* memory() const noexcept { return memory_; }

private:
    void* memory_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace inspect::system
