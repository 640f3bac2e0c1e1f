// A mutex for std::lock_guard. That of the C++ library reports errors through a function of libstdc++, which an
// extension module does well not to need (heap.hpp); there are none to report.

#pragma once

#include <pthread.h>

namespace stackful {

class Mutex {
public:
    constexpr Mutex() noexcept = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() noexcept { ::pthread_mutex_lock(&native_); }
    void unlock() noexcept { ::pthread_mutex_unlock(&native_); }

    pthread_mutex_t* native() noexcept { return &native_; }

private:
    pthread_mutex_t native_ = PTHREAD_MUTEX_INITIALIZER;
};

}  // namespace stackful
