// The frames of a greenlet, read from a memory.

#pragma once

#include <cstddef>
#include <string_view>

#include "inspect/memory.hpp"
#include "inspect/objects.hpp"
#include "inspect/offsets.hpp"

namespace inspect {

struct FrameEntry {
    std::string_view file;
    std::string_view function;  // its qualified name
    int line;                   // 0 if the instruction has none
};

// A stack of frames, the innermost first. It takes no memory but its own, so that a signal handler can use it.
class Frames {
public:
    static constexpr std::size_t most = 200;

    // Reads the frames from `innermost` on, until the one at `end`. False if what the memory has are no frames.
    bool read(Memory& memory, const Offsets& offsets, Address innermost, Address end) noexcept;

    // Reads the names and lines of the frames. False if the memory does not have them.
    bool name(Memory& memory, const Offsets& offsets, Texts& texts) noexcept;

    // True if the same functions are at the same places.
    bool is_like(const Frames& other) const noexcept;

    void clear() noexcept { count_ = named_ = total_ = 0; }

    // The named ones, and how many more there are outside of them.
    const FrameEntry* begin() const noexcept { return named_frames_; }
    const FrameEntry* end() const noexcept { return named_frames_ + named_; }
    std::size_t more() const noexcept { return total_ - named_; }

private:
    struct Found {
        Address frame;
        Address code;
        Address file;
        Address function;
        Address lines;
        int first_line;
        std::ptrdiff_t offset;
    };

    bool add(Memory& memory, const Offsets& offsets, Address place, Address& previous) noexcept;

    Found found_[most];
    FrameEntry named_frames_[most];
    std::size_t count_ = 0;
    std::size_t named_ = 0;
    std::size_t total_ = 0;
};

}  // namespace inspect
