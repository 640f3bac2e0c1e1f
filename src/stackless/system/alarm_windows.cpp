// The alarm clock of Windows, where no signal comes from outside: a thread that waits, and tells CPython that a signal
// has arrived.

#include <csignal>
#include <iterator>
#include <mutex>
#include <new>

#include "interpreter/versions/cpython.hpp"
#include "stackful/system/threads.hpp"
#include "stackful/system/windows_header.hpp"
#include "stackless/system/alarm.hpp"

namespace stackless::alarm {

namespace {

class Clock {
public:
    // False if the system refuses.
    bool start(int signal) noexcept {
        signal_ = signal;
        changed_ = ::CreateEventW(nullptr, FALSE, FALSE, nullptr);
        return changed_ != nullptr && thread_.start(run, this) == 0;
    }

    // When this returns, no signal of an earlier setting follows.
    void set(std::int64_t time) noexcept {
        std::lock_guard lock(mutex_);
        time_ = time;
        if (time != 0) {
            ::SetEvent(changed_);
        }
    }

private:
    static void* run(void* clock) {
        static_cast<Clock*>(clock)->run();
        return nullptr;
    }

    // To the end of the process.
    void run() noexcept {
        for (;;) {
            ::WaitForSingleObject(changed_, milliseconds_until_next());
        }
    }

    // Gives the signal if it is time.
    DWORD milliseconds_until_next() noexcept {
        constexpr std::int64_t millisecond = 1'000'000;
        constexpr std::int64_t longest = 1000;
        std::lock_guard lock(mutex_);
        if (time_ == 0) {
            return INFINITE;
        }
        std::int64_t left = time_ - stackful::system::monotonic_time();
        if (left <= 0) {
            PyErr_SetInterruptEx(signal_);
            left = interval;
            time_ = stackful::system::monotonic_time() + left;
        }
        std::int64_t milliseconds = (left + millisecond - 1) / millisecond;
        return static_cast<DWORD>(milliseconds < longest ? milliseconds : longest);
    }

    stackful::system::Mutex mutex_;
    stackful::system::NativeThread thread_;
    HANDLE changed_ = nullptr;
    int signal_ = 0;
    std::int64_t time_ = 0;  // 0 if at no time
};

// Its thread is never ended: it may be waiting for the lock when the process ends.
alignas(Clock) std::byte place[sizeof(Clock)];
Clock* clock_of_process = nullptr;

}  // namespace

// Windows itself raises neither. CPython has no other signals than those of the C library.
int candidate(int number) noexcept {
    constexpr int signals[] = {SIGILL, SIGBREAK};
    return static_cast<std::size_t>(number) < std::size(signals) ? signals[number] : 0;
}

bool make(int signal) noexcept {
    if (clock_of_process == nullptr) {
        auto* clock = ::new (place) Clock;
        clock_of_process = clock->start(signal) ? clock : nullptr;
    }
    return clock_of_process != nullptr;
}

void set(std::int64_t time) noexcept {
    if (clock_of_process != nullptr) {
        clock_of_process->set(time);
    }
}

void destroy() noexcept { set(0); }

}  // namespace stackless::alarm
