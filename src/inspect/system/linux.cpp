#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "inspect/system/path.hpp"
#include "inspect/system/system.hpp"

namespace inspect::system {

namespace {

std::size_t count_of(ssize_t result) noexcept { return result > 0 ? static_cast<std::size_t>(result) : 0; }

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

constexpr int not_tried = -1;
constexpr int failed = -2;

}  // namespace

const bool reads_other_processes = true;

// files_[0] is /proc/PID/mem, where the system call does not work.
std::size_t ProcessMemory::read(pid_t process, std::uintptr_t from, void* to, std::size_t bytes) noexcept {
    int& file = files_[0];
    if (file == not_tried) {
        iovec local{to, bytes};
        iovec remote{reinterpret_cast<void*>(from), bytes};
        ssize_t copied = ::process_vm_readv(process, &local, 1, &remote, 1, 0);
        if (copied > 0 || errno == EFAULT) {
            return count_of(copied);
        }
        file = ::open(Path("/proc/", process, "/mem").text(), O_RDONLY | O_CLOEXEC);
        file = file >= 0 ? file : failed;
    }
    return file >= 0 ? count_of(::pread(file, to, bytes, static_cast<off_t>(from))) : 0;
}

void ProcessMemory::close() noexcept {
    if (files_[0] >= 0) {
        ::close(files_[0]);
    }
}

ThreadLook look_at_thread(pid_t process, unsigned long native_id, std::span<char> room) noexcept {
    int file = ::open(Path("/proc/", process, "/task/", native_id, "/status").text(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return {};
    }
    std::string_view text(room.data(), count_of(::read(file, room.data(), room.size())));
    ::close(file);
    char state = letter_after(text, "\nState:\t");
    bool is_still = state == 'S' || state == 'D' || state == 'T' || state == 't';
    return {is_still,
            number_after(text, "\nvoluntary_ctxt_switches:") + number_after(text, "\nnonvoluntary_ctxt_switches:")};
}

int allocate(int descriptor, std::size_t bytes) noexcept {
    return ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
}

}  // namespace inspect::system
