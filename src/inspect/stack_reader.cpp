#include "inspect/stack_reader.hpp"

#include "interpreter/frames/copied.hpp"

namespace inspect {

namespace {

using interpreter::CopiedPlaces;

constexpr int most_attempts = 8;
constexpr std::uint64_t counter_range = std::uint64_t{1} << 16;  // of the suspensions

}  // namespace

Reading StackReader::read(const Subject& subject, Texts& texts, bool& is_current_one) noexcept {
    std::size_t mark = texts.mark();
    Attempt last = Attempt::failed;
    for (int i = 0; i < most_attempts; ++i) {
        texts.cut(mark);
        frames_.clear();
        if (!read_thread(subject)) {
            break;
        }
        is_current_one = is_current(subject);
        last = is_current_one ? read_current(subject, texts) : read_suspended(subject, texts);
        if (last == Attempt::right) {
            return Reading::right;
        }
    }
    return last == Attempt::running ? Reading::running : Reading::changed;
}

bool StackReader::read_names(Address innermost, const ActivationCopy& activation, Texts& texts) noexcept {
    Address link = activation.at(table_.activation.link);
    Address end = link != 0 ? link + table_.activation.link_frame : 0;
    return frames_.read(memory_, table_, innermost, end) && frames_.name(memory_, table_, texts);
}

// --- the current greenlet --------------------------------------------------------------------------------------------

StackReader::Attempt StackReader::read_current(const Subject& subject, Texts& texts) noexcept {
    unsigned long native_id = 0;
    memory_.read(thread_state() + CopiedPlaces::thread_native, native_id);
    Stillness stillness(memory_, native_id, buffer_);
    if (!read_thread(subject) || !is_current(subject) || !read_current_activation()) {
        return Attempt::failed;
    }
    std::uint64_t before = switches();
    if (!read_names(innermost_of_current(), current_activation_, texts)) {
        return stillness.lasts() ? Attempt::failed : Attempt::running;
    }
    if (stillness.lasts()) {
        return Attempt::right;
    }
    Address link = current_activation_.at(table_.activation.link);
    Address end = link != 0 ? link + table_.activation.link_frame : 0;
    bool is_alike = again_.read(memory_, table_, innermost_of_current(), end) && again_.is_like(frames_);
    bool stays = read_thread(subject) && is_current(subject) && switches() == before;
    return stays && is_alike ? Attempt::running : Attempt::failed;
}

bool StackReader::read_current_activation() noexcept {
    Address implementation;
    return memory_.read(thread_.at(table_.thread.current) + table_.object.implementation, implementation) &&
           greenlet_.read(memory_, implementation, table_.greenlet.size) &&
           current_activation_.read(memory_, greenlet_.at(table_.greenlet.activation), table_.activation.size);
}

// True if the thread state is that of the current greenlet, as far as its data stack shows.
bool StackReader::is_loaded() noexcept {
    Address saved = current_activation_.at(table_.activation.chunk);
    Address running = 0;
    memory_.read(thread_state() + CopiedPlaces::thread_chunk, running);
    return saved == 0 || root_of(saved) == root_of(running);
}

Address StackReader::innermost_of_current() noexcept {
    return is_loaded() ? running_frame() : saved_frame(current_activation_);
}

// The first chunk of a data stack.
Address StackReader::root_of(Address chunk) noexcept {
    Address previous = chunk;
    for (int i = 0; i < 10'000 && previous != 0; ++i) {
        chunk = previous;
        if (!memory_.read(chunk + CopiedPlaces::chunk_previous, previous)) {
            return 0;
        }
    }
    return chunk;
}

Address StackReader::frame_at(Address place) noexcept {
    Address found = 0;
    bool is_read = memory_.read(place, found);
    if (CopiedPlaces::frame_is_in_cframe && is_read) {
        Address cframe = found;
        found = 0;
        memory_.read(cframe + CopiedPlaces::cframe_frame, found);
    }
    return found;
}

Address StackReader::running_frame() noexcept { return frame_at(thread_state() + CopiedPlaces::thread_frame); }

Address StackReader::saved_frame(const ActivationCopy& activation) noexcept {
    Address saved = activation.at(table_.activation.frame);
    if (CopiedPlaces::frame_is_in_cframe) {
        Address cframe = saved;
        saved = 0;
        memory_.read(cframe + CopiedPlaces::cframe_frame, saved);
    }
    return saved;
}

// --- a suspended one -------------------------------------------------------------------------------------------------

// True if the greenlet switches away just now, and has not saved its frames.
bool StackReader::is_leaving(const Subject& subject) noexcept {
    return thread_.at(table_.thread.origin) == subject.object && read_current_activation() && !is_loaded() &&
           running_frame() != saved_frame(current_activation_);
}

// True if the activation that was just read is the greenlet's, and the one with this number.
bool StackReader::is_of(const Subject& subject, std::size_t number) noexcept {
    Address implementation;
    return activation_.at<std::size_t>(table_.activation.number) == number &&
           activation_.at(table_.activation.greenlet) == subject.object &&
           memory_.read(subject.object + table_.object.implementation, implementation) &&
           greenlet_.read(memory_, implementation, table_.greenlet.size) &&
           greenlet_.at(table_.greenlet.thread) == subject.thread &&
           greenlet_.at(table_.greenlet.activation) == subject.activation &&
           greenlet_.at<std::uint8_t>(table_.greenlet.phase) == table_.greenlet.active_phase;
}

StackReader::Attempt StackReader::read_suspended(const Subject& subject, Texts& texts) noexcept {
    const auto& places = table_.activation;
    if (!activation_.read(memory_, subject.activation, places.size) || !read_thread(subject) || is_current(subject)) {
        return Attempt::failed;
    }
    auto suspensions = activation_.at<std::uint16_t>(places.suspensions);
    auto number = activation_.at<std::size_t>(places.number);
    if (!is_of(subject, number)) {
        return Attempt::failed;
    }
    std::uint64_t before = switches();
    bool was_leaving = is_leaving(subject);
    Address innermost = was_leaving ? running_frame() : saved_frame(activation_);
    if (!read_names(innermost, activation_, texts)) {
        return Attempt::failed;
    }

    if (!read_thread(subject) || is_current(subject) || !activation_.read(memory_, subject.activation, places.size) ||
        activation_.at<std::uint16_t>(places.suspensions) != suspensions || switches() - before >= counter_range ||
        !is_of(subject, number)) {
        return Attempt::failed;
    }
    bool is_origin = thread_.at(table_.thread.origin) == subject.object;
    if (switches() != before || !is_origin) {
        // If it is the origin now, it has run meanwhile.
        bool has_rested = !is_origin && !was_leaving && saved_frame(activation_) == innermost;
        return has_rested ? Attempt::right : Attempt::failed;
    }
    // It was the last to switch away, and may not have saved its frames.
    bool leaves = is_leaving(subject);
    Address now = leaves ? running_frame() : saved_frame(activation_);
    bool stays = leaves == was_leaving && now == innermost && read_thread(subject) && switches() == before;
    return stays ? Attempt::right : Attempt::failed;
}

}  // namespace inspect
