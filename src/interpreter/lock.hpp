// Free-threaded builds: a lock for plain data that several threads change. In other builds the GIL is that lock, and
// this one is nothing.
//
// Not to be held while Python code may run, a reference is dropped, or stacks are switched.

#pragma once

#include "interpreter/cpython.hpp"

namespace interpreter {

#ifdef Py_GIL_DISABLED

inline constexpr bool threads_take_turns = false;

class Lock {
public:
    void lock() noexcept { PyMutex_Lock(&mutex_); }
    void unlock() noexcept { PyMutex_Unlock(&mutex_); }

private:
    PyMutex mutex_{};
};

#else

inline constexpr bool threads_take_turns = true;  // with Python objects

class Lock {
public:
    void lock() noexcept {}
    void unlock() noexcept {}
};

#endif

// Holds a lock to the end of the scope, or until release().
class Holding {
public:
    explicit Holding(Lock& lock) noexcept : lock_(&lock) { lock.lock(); }
    ~Holding() { release(); }
    Holding(const Holding&) = delete;
    Holding& operator=(const Holding&) = delete;

    void release() noexcept {
        if (lock_ != nullptr) {
            lock_->unlock();
            lock_ = nullptr;
        }
    }

private:
    Lock* lock_;
};

}  // namespace interpreter
