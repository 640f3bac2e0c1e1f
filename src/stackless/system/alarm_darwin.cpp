// The alarm clock of macOS, which has neither POSIX timers nor real-time signals: a thread that waits, and sends the
// main thread a signal that by default is ignored.

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <iterator>
#include <new>

#include "stackful/system/threads.hpp"
#include "stackless/system/alarm.hpp"

namespace stackless::alarm {

namespace {

constexpr std::int64_t second = 1'000'000'000;

class Clock {
public:
    explicit Clock(int signal) noexcept : signal_(signal) {}

    bool start() noexcept {
        // The thread gets no signals: the system would not interrupt what the main thread waits for.
        sigset_t all, before;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);
        bool is_started = ::pthread_create(&thread_, nullptr, run, this) == 0;
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        return is_started;
    }

    // When this returns, no signal of an earlier setting follows.
    void set(std::int64_t time) noexcept {
        ::pthread_mutex_lock(&mutex_);
        time_ = time;
        if (time != 0 && (wakes_at_ == 0 || time < wakes_at_)) {
            ::pthread_cond_signal(&changed_);
        }
        ::pthread_mutex_unlock(&mutex_);
    }

    void end() noexcept {
        ::pthread_mutex_lock(&mutex_);
        ends_ = true;
        ::pthread_cond_signal(&changed_);
        ::pthread_mutex_unlock(&mutex_);
        ::pthread_join(thread_, nullptr);
    }

private:
    static void* run(void* clock) {
        static_cast<Clock*>(clock)->run();
        return nullptr;
    }

    void run() noexcept {
        ::pthread_mutex_lock(&mutex_);
        while (!ends_) {
            std::int64_t left = time_ != 0 ? time_ - stackful::system::monotonic_time() : second;
            if (left <= 0) {
                ::pthread_kill(main_thread_, signal_);
                time_ = stackful::system::monotonic_time() + interval;
                continue;
            }
            wait(left);
        }
        ::pthread_mutex_unlock(&mutex_);
    }

    // Waits for a change if no time is set.
    void wait(std::int64_t left) noexcept {
        wakes_at_ = time_;
        if (time_ != 0) {
            struct timespec span{.tv_sec = left / second, .tv_nsec = static_cast<long>(left % second)};
            ::pthread_cond_timedwait_relative_np(&changed_, &mutex_, &span);
        }
        else {
            ::pthread_cond_wait(&changed_, &mutex_);
        }
    }

    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed_ = PTHREAD_COND_INITIALIZER;
    pthread_t main_thread_ = ::pthread_self();
    pthread_t thread_{};
    int signal_;
    bool ends_ = false;
    std::int64_t time_ = 0;
    std::int64_t wakes_at_ = 0;  // 0 if at no time
};

alignas(Clock) std::byte place[sizeof(Clock)];
Clock* clock_of_process = nullptr;
pid_t owner = 0;

// In a child process there is no thread, and the mutex may be locked.
Clock* own_clock() noexcept { return owner == ::getpid() ? clock_of_process : nullptr; }

}  // namespace

int candidate(int number) noexcept {
    constexpr int signals[] = {SIGURG, SIGIO, SIGINFO, SIGWINCH};
    return static_cast<std::size_t>(number) < std::size(signals) ? signals[number] : 0;
}

bool make(int signal) noexcept {
    if (own_clock() != nullptr) {
        return true;
    }
    clock_of_process = ::new (place) Clock(signal);
    owner = clock_of_process->start() ? ::getpid() : 0;
    return owner != 0;
}

void set(std::int64_t time) noexcept {
    if (Clock* clock = own_clock()) {
        clock->set(time);
    }
}

void destroy() noexcept {
    if (Clock* clock = own_clock()) {
        clock->end();
    }
    owner = 0;
}

}  // namespace stackless::alarm
