#include "inspect/frames.hpp"

#include "inspect/lines.hpp"
#include "interpreter/frames/copied.hpp"

namespace inspect {

using interpreter::as_address;

bool Frames::read(Memory& memory, const Offsets& offsets, Address innermost, Address end) noexcept {
    clear();
    constexpr std::size_t bound = 200'000;  // the frames may be a circle, if they are not what they seem
    Address place = innermost;
    for (std::size_t steps = 0; place != 0 && place != end; ++steps) {
        Address previous;
        if (steps == bound || !add(memory, offsets, place, previous)) {
            return false;
        }
        place = previous;
    }
    return true;
}

// Adds the frame at `place`, if it is of a function.
bool Frames::add(Memory& memory, const Offsets& offsets, Address place, Address& previous) noexcept {
    interpreter::Frame frame;
    if (place % alignof(interpreter::Frame) != 0 || !memory.read(place, frame)) {
        return false;
    }
    previous = interpreter::previous_of(frame);
    if (!interpreter::is_of_function(frame)) {
        return true;
    }
    PyCodeObject code;
    Address code_place = as_address(interpreter::code_of(&frame));
    auto read = [&memory](Address from, void* to, std::size_t bytes) { return memory.read(from, to, bytes); };
    std::ptrdiff_t offset;
    if (!memory.read(code_place, code) || as_address(code.ob_base.ob_base.ob_type) != as_address(offsets.code_type) ||
        !interpreter::offset_in_code(frame, code, code_place, offset, read)) {
        return false;
    }
    if (interpreter::is_before_function(frame, code, offset)) {
        return true;
    }
    if (count_ < most) {
        found_[count_++] = {place,
                            code_place,
                            as_address(code.co_filename),
                            as_address(code.co_qualname),
                            as_address(code.co_linetable),
                            code.co_firstlineno,
                            offset};
    }
    ++total_;
    return true;
}

bool Frames::name(Memory& memory, const Offsets& offsets, Texts& texts) noexcept {
    for (named_ = 0; named_ < count_ && !texts.is_full(); ++named_) {
        const Found& frame = found_[named_];
        FrameEntry& entry = named_frames_[named_];
        entry.file = text_of(memory, offsets, frame.file, texts);
        entry.function = text_of(memory, offsets, frame.function, texts);
        entry.line = line_at(memory, frame.lines, frame.first_line, frame.offset);
        bool has_names = entry.function.data() != nullptr && entry.file.data() != nullptr;
        if (entry.line < 0 || (!has_names && !texts.is_full())) {
            return false;
        }
    }
    return true;
}

bool Frames::is_like(const Frames& other) const noexcept {
    if (count_ != other.count_ || total_ != other.total_) {
        return false;
    }
    for (std::size_t i = 0; i < count_; ++i) {
        const Found& mine = found_[i];
        const Found& its = other.found_[i];
        // The innermost frame is at another instruction each time.
        if (mine.frame != its.frame || mine.code != its.code || (i != 0 && mine.offset != its.offset)) {
            return false;
        }
    }
    return true;
}

}  // namespace inspect
