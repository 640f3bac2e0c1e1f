#include "inspect/stillness.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "inspect/path.hpp"

namespace inspect {

namespace {

// The number that follows a word. 0 if there is none.
std::uint64_t number_after(std::string_view text, std::string_view word) noexcept {
    std::size_t place = text.find(word);
    std::uint64_t number = 0;
    if (place != text.npos) {
        place = std::min(text.find_first_not_of("\t ", place + word.size()), text.size());
        for (; place < text.size() && text[place] >= '0' && text[place] <= '9'; ++place) {
            number = number * 10 + static_cast<std::uint64_t>(text[place] - '0');
        }
    }
    return number;
}

char letter_after(std::string_view text, std::string_view word) noexcept {
    std::size_t place = text.find(word);
    return place != text.npos && place + word.size() < text.size() ? text[place + word.size()] : '?';
}

}  // namespace

Stillness::Stillness(const Memory& memory, unsigned long native_id, Buffer& buffer) noexcept
    : process_(memory.process()), native_id_(native_id), buffer_(buffer), first_(look()) {}

bool Stillness::lasts() const noexcept {
    if (!first_.is_still) {
        return false;
    }
    Look now = look();
    return now.is_still && now.switches == first_.switches;
}

Stillness::Look Stillness::look() const noexcept {
    bool is_own = process_ == ::getpid() && native_id_ == static_cast<unsigned long>(::syscall(SYS_gettid));
    if (process_ == 0 || is_own) {
        return {true, 0};
    }
    int file = ::open(Path("/proc/", process_, "/task/", native_id_, "/status").text(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return {false, 0};
    }
    ssize_t size = ::read(file, buffer_.text, sizeof buffer_.text);
    ::close(file);
    std::string_view text(buffer_.text, size > 0 ? static_cast<std::size_t>(size) : 0);
    char state = letter_after(text, "\nState:\t");
    bool is_still = state == 'S' || state == 'D' || state == 'T' || state == 't';
    return {is_still,
            number_after(text, "\nvoluntary_ctxt_switches:") + number_after(text, "\nnonvoluntary_ctxt_switches:")};
}

}  // namespace inspect
