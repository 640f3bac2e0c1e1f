// Free-threaded builds: a lock for plain data that several threads change. In other builds the GIL is that lock, and
// this one is nothing.
//
// Not to be held while Python code may run, a reference is dropped, or stacks are switched.

#pragma once

#include <utility>

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

// Reads and changes a reference of an object's that another thread may change at the same time. Where threads take turns that is
// nothing but the reading or the changing.
class SharedReference {
public:
    SharedReference(PyObject* owner, PyObject*& place) noexcept : place_(place) {
#ifdef Py_GIL_DISABLED
        PyCriticalSection_Begin(&section_, owner);
#else
        static_cast<void>(owner);
#endif
    }
    ~SharedReference() {
#ifdef Py_GIL_DISABLED
        PyCriticalSection_End(&section_);
#endif
    }
    SharedReference(const SharedReference&) = delete;
    SharedReference& operator=(const SharedReference&) = delete;

    PyObject* get() const noexcept { return Py_XNewRef(place_); }  // a new reference, or nullptr
    PyObject* exchange(PyObject* value) noexcept { return std::exchange(place_, value); }

private:
    PyObject*& place_;
#ifdef Py_GIL_DISABLED
    PyCriticalSection section_;
#endif
};

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
