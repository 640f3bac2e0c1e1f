// The interface threads.hpp on systems with POSIX threads.

#pragma once

#include <pthread.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>

namespace stackful::system {

class Mutex {
public:
    constexpr Mutex() noexcept = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() noexcept { ::pthread_mutex_lock(&native_); }
    void unlock() noexcept { ::pthread_mutex_unlock(&native_); }

private:
    pthread_mutex_t native_ = PTHREAD_MUTEX_INITIALIZER;
};

class ThreadValue {
public:
    constexpr ThreadValue() noexcept = default;

    // `destructor` is called with a thread's value when the thread ends, unless it is nullptr. If the system has no
    // room, nobody has a value.
    explicit ThreadValue(void (*destructor)(void*)) noexcept : has_key_(::pthread_key_create(&key_, destructor) == 0) {}

    void* get() const noexcept { return has_key_ ? ::pthread_getspecific(key_) : nullptr; }
    bool set(void* value) const noexcept { return has_key_ && ::pthread_setspecific(key_, value) == 0; }

private:
    pthread_key_t key_{};
    bool has_key_ = false;
};

class NativeThread {
public:
    using Body = void* (*)(void* argument);

    // 0, or the number of an error.
    int start(Body body, void* argument) noexcept { return ::pthread_create(&native_, nullptr, body, argument); }

    bool is_running_one() const noexcept { return ::pthread_equal(native_, ::pthread_self()) != 0; }

    // Waits for its end. Either of the two is called once.
    void join() noexcept { ::pthread_join(native_, nullptr); }
    void detach() noexcept { ::pthread_detach(native_); }

private:
    pthread_t native_{};
};

using ForkHandler = void (*)();

inline void at_fork(ForkHandler before, ForkHandler in_parent, ForkHandler in_child) noexcept {
    ::pthread_atfork(before, in_parent, in_child);
}

inline std::int64_t process_id() noexcept { return ::getpid(); }

inline std::int64_t time_by(clockid_t clock) noexcept {
    timespec time;
    ::clock_gettime(clock, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

inline std::int64_t monotonic_time() noexcept { return time_by(CLOCK_MONOTONIC); }
inline std::int64_t date() noexcept { return time_by(CLOCK_REALTIME); }

}  // namespace stackful::system
