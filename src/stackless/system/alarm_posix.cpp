// The alarm clock where there are POSIX timers and real-time signals: Linux and FreeBSD.

#include <unistd.h>

#include <csignal>
#include <ctime>

#include "stackless/system/alarm.hpp"

namespace stackless::alarm {

namespace {

timer_t timer;
pid_t owner = 0;

}  // namespace

int candidate(int number) noexcept {
    int signal = SIGRTMAX - 1 - number;
    return signal > SIGRTMIN ? signal : 0;
}

bool make(int signal) noexcept {
    if (owner == ::getpid()) {
        return true;
    }
    struct sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal;
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) {
        return false;
    }
    owner = ::getpid();
    return true;
}

void set(std::int64_t time) noexcept {
    if (owner != ::getpid()) {
        return;
    }
    struct itimerspec when = {};
    when.it_value.tv_sec = time / 1'000'000'000;
    when.it_value.tv_nsec = time % 1'000'000'000;
    when.it_interval.tv_nsec = interval;
    ::timer_settime(timer, TIMER_ABSTIME, &when, nullptr);
}

void destroy() noexcept {
    if (owner == ::getpid()) {
        ::timer_delete(timer);
    }
    owner = 0;
}

}  // namespace stackless::alarm
