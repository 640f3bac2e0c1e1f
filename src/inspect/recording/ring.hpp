// The file that a recording writes while it runs: a header, the names, and a ring of records of a fixed size.
//
//     | RingHeader | names: length, characters; length, ... | records: the oldest is overwritten when the ring is full
//     |
//
// The file is mapped into memory, so it is complete up to the last switch even if the process crashes. It is read by
// python/greenlet/_recording_ring.py, which knows this layout too.

#pragma once

#include <cstddef>
#include <cstdint>

#include "inspect/system/files.hpp"

namespace inspect::recording {

inline constexpr std::uint32_t ring_version = 1;

struct RingHeader {
    char magic[16];
    std::uint32_t version;
    std::uint32_t record_bytes;
    std::uint64_t names_begin;
    std::uint64_t names_bytes;  // that are in use
    std::uint64_t records_begin;
    std::uint64_t capacity;  // in records
    std::uint64_t written;   // records that were ever written
    std::uint64_t switches;  // of these, without those of threads
    std::int64_t process;
    std::int64_t begin_time;  // in ns, by the monotonic clock; end_time too
    std::int64_t begin_date;  // in ns since 1970
    std::int64_t end_time;    // 0 while the recording runs
};

enum RecordFlag : std::uint16_t {
    is_throw = 1,         // an exception was thrown into the target
    target_starts = 2,    // the target has not run before
    origin_finished = 4,  // the origin will not run again
    thread_begins = 8,    // no switch: the target runs from here on
    thread_ends = 16      // no switch: the origin has run until here
};

// A switch. A number stands for a greenlet or thread of the recording. A name is an index into the names; 0 stands for
// an unknown one.
struct RingRecord {
    std::int64_t time;
    std::uint32_t origin;
    std::uint32_t target;
    std::uint32_t thread;
    std::uint16_t origin_name;
    std::uint16_t target_name;
    std::uint16_t thread_name;
    std::uint16_t flags;
    std::uint32_t unused;
};

inline constexpr std::size_t names_room = 128 << 10;
inline constexpr std::size_t header_room = 4096;
inline constexpr std::size_t least_ring_size = 256 << 10;

class Ring {
public:
    // Maps a file, which gets this size in bytes, at least `least_ring_size`. 0, or the number of an error.
    int open(int descriptor, std::size_t size) noexcept;
    // Sets the time of the begin.
    void begin() noexcept;
    // Sets the time of the end, if it is not 0, and unmaps the file.
    void close(std::int64_t end_time) noexcept;

    bool is_open() const noexcept { return header_ != nullptr; }

    void append(const RingRecord& record) noexcept {
        header_->switches += (record.flags & (thread_begins | thread_ends)) == 0;
        records_[next_] = record;
        next_ = next_ + 1 != capacity_ ? next_ + 1 : 0;
        // The reader of a crashed process's file sees no record that is not complete.
        __atomic_store_n(&header_->written, header_->written + 1, __ATOMIC_RELEASE);
    }

    // Appends a name of at most 65,535 characters. False if there is no room.
    bool append_name(const char* characters, std::size_t length) noexcept;

private:
    std::byte* bytes() const noexcept { return reinterpret_cast<std::byte*>(header_); }

    RingHeader* header_ = nullptr;
    RingRecord* records_ = nullptr;
    std::size_t next_ = 0;
    std::size_t capacity_ = 0;
    system::MappedFile file_;
};

// The time by the monotonic clock, in nanoseconds.
std::int64_t now() noexcept;

}  // namespace inspect::recording
