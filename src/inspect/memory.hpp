// The memory of a process: of this one, of another one, or as a core file has it. A read fails where there is nothing,
// and never faults.
//
// Everything here may be called in a signal handler.

#pragma once

#include <cstddef>
#include <cstdint>

#include "inspect/system/system.hpp"

namespace inspect {

using Address = std::uintptr_t;

// A range of addresses whose contents a file has.
struct Segment {
    Address begin;
    Address end;
    int file;
    std::int64_t offset;  // of `begin` in the file
};

class Memory {
public:
    Memory() noexcept = default;  // of nothing
    explicit Memory(pid_t process) noexcept : process_(process) {}
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    void open(pid_t process) noexcept { process_ = process; }
    // Segments in the order of their addresses, which must outlive this.
    void open(const Segment* segments, std::size_t count) noexcept {
        segments_ = segments;
        count_ = count;
    }

    // Copies `bytes` bytes. False if not all are readable.
    bool read(Address from, void* to, std::size_t bytes) noexcept;

    template <class T>
    bool read(Address from, T& to) noexcept {
        return read(from, &to, sizeof to);
    }

    // The process, or 0 for a core file.
    pid_t process() const noexcept { return process_; }

private:
    std::size_t read_some(Address from, void* to, std::size_t bytes) noexcept;
    std::size_t read_segment(Address from, void* to, std::size_t bytes) const noexcept;

    pid_t process_ = 0;
    const Segment* segments_ = nullptr;
    std::size_t count_ = 0;
    system::ProcessMemory of_processes_;
};

}  // namespace inspect
