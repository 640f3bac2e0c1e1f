// Reads the stack of one greenlet, while it may run.
//
// A suspended greenlet counts its suspensions, and a thread its switches and starts. If neither the count nor the
// innermost frame has changed when the frames have been read, the greenlet is still the same, and it is not the current
// one before and after, it has not run meanwhile, and the frames are right. (The count has 16 bits; that of the thread,
// of 64 bits, tells whether it may have come round.) Otherwise they are read again, a few times.
//
// A greenlet that runs counts nothing. Its frames are right if its thread has not run meanwhile (stillness.hpp).
// Otherwise they are what was there when each of them was read.
//
// A switch first makes the target the current greenlet, then saves the thread state in the greenlet that switches away,
// the origin, then loads that of the target. In between, the thread state is still the origin's, and what the origin
// has saved is of an earlier suspension. The data stack shows whose the thread state is, because each greenlet has one
// of its own.

#pragma once

#include <cstdint>

#include "inspect/copy.hpp"
#include "inspect/frames.hpp"
#include "inspect/memory.hpp"
#include "inspect/objects.hpp"
#include "inspect/offsets.hpp"
#include "inspect/stillness.hpp"

namespace inspect {

enum class Reading : std::uint8_t {
    right,    // the greenlet did not run meanwhile
    running,  // it ran while it was read, and the frames may be of different moments
    changed,  // it was suspended or resumed each time it was read
};

// A greenlet, its thread and its activation.
struct Subject {
    Address thread;
    Address object;
    Address activation;
};

class StackReader {
public:
    StackReader(Memory& memory, const Offsets& table) noexcept : memory_(memory), table_(table) {}
    StackReader(const StackReader&) = delete;
    StackReader& operator=(const StackReader&) = delete;

    // Reads the frames, with their names in `texts`, and whether the greenlet is its thread's current one.
    Reading read(const Subject& subject, Texts& texts, bool& is_current) noexcept;
    const Frames& frames() const noexcept { return frames_; }

private:
    enum class Attempt : std::uint8_t { right, running, failed };

    Attempt read_current(const Subject& subject, Texts& texts) noexcept;
    Attempt read_suspended(const Subject& subject, Texts& texts) noexcept;
    bool read_names(Address innermost, const ActivationCopy& activation, Texts& texts) noexcept;
    bool read_current_activation() noexcept;
    bool is_loaded() noexcept;
    bool is_leaving(const Subject& subject) noexcept;
    Address running_frame() noexcept;
    Address saved_frame(const ActivationCopy& activation) noexcept;
    Address innermost_of_current() noexcept;
    Address frame_at(Address place) noexcept;
    Address root_of(Address chunk) noexcept;
    bool read_thread(const Subject& subject) noexcept {
        return thread_.read(memory_, subject.thread, table_.thread.size);
    }
    bool is_of(const Subject& subject, std::size_t number) noexcept;
    bool is_current(const Subject& subject) const noexcept {
        return thread_.at(table_.thread.current) == subject.object;
    }
    std::uint64_t switches() const noexcept { return thread_.at<std::uint64_t>(table_.thread.switches); }
    Address thread_state() const noexcept { return thread_.at(table_.thread.thread_state); }

    Memory& memory_;
    const Offsets& table_;
    ThreadCopy thread_;
    ActivationCopy activation_;          // of the subject
    ActivationCopy current_activation_;  // of the thread's current greenlet
    GreenletCopy greenlet_;
    Frames frames_;
    Frames again_;
    Stillness::Buffer buffer_;
};

}  // namespace inspect
