// The interface threads.hpp on Windows. <windows.h> stays in the source file, because it defines short names as macros.

#pragma once

#include <cstdint>

namespace stackful::system {

class Mutex {
public:
    constexpr Mutex() noexcept = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() noexcept;
    void unlock() noexcept;

private:
    void* native_ = nullptr;  // an SRWLOCK
};

class ThreadValue {
public:
    constexpr ThreadValue() noexcept = default;

    // `destructor` is called with a thread's value when the thread ends, unless it is nullptr. If the system has no
    // room, nobody has a value.
    explicit ThreadValue(void (*destructor)(void*)) noexcept;

    void* get() const noexcept;
    bool set(void* value) const noexcept;

private:
    unsigned long index_ = none;  // of fiber-local storage, which has destructors; without fibers it is the thread's

    static constexpr unsigned long none = 0xFFFFFFFF;
};

class NativeThread {
public:
    using Body = void* (*)(void* argument);

    NativeThread() noexcept = default;
    NativeThread(const NativeThread&) = delete;
    NativeThread& operator=(const NativeThread&) = delete;

    // 0, or the number of an error.
    int start(Body body, void* argument) noexcept;

    bool is_running_one() const noexcept;

    // Waits for its end. Either of the two is called once.
    void join() noexcept;
    void detach() noexcept;

private:
    void* handle_ = nullptr;
    unsigned long number_ = 0;
};

using ForkHandler = void (*)();

// Nothing forks.
inline void at_fork(ForkHandler, ForkHandler, ForkHandler) noexcept {}

std::int64_t process_id() noexcept;
std::int64_t monotonic_time() noexcept;
std::int64_t date() noexcept;

}  // namespace stackful::system
