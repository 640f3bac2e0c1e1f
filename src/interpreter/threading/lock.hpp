// Free-threaded builds, 3.13 on: locks. In other builds the GIL is the lock, and these do nothing.

#pragma once

#include <atomic>

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

#ifdef Py_GIL_DISABLED

inline constexpr bool has_gil = false;

// Guards plain data that several threads change. Must not be held while Python code may run, a reference is dropped, or
// stacks are switched.
class Lock {
public:
    void lock() noexcept { PyMutex_Lock(&mutex_); }
    void unlock() noexcept { PyMutex_Unlock(&mutex_); }

private:
    PyMutex mutex_{};
};

#else

inline constexpr bool has_gil = true;

class Lock {
public:
    void lock() noexcept {}
    void unlock() noexcept {}
};

#endif

// Holds the lock of an object while in scope.
class ObjectLock {
public:
#ifdef Py_GIL_DISABLED
    explicit ObjectLock(PyObject* object) noexcept { PyCriticalSection_Begin(&section_, object); }
    ~ObjectLock() { PyCriticalSection_End(&section_); }
#else
    explicit ObjectLock(PyObject*) noexcept {}
#endif
    ObjectLock(const ObjectLock&) = delete;
    ObjectLock& operator=(const ObjectLock&) = delete;

private:
#ifdef Py_GIL_DISABLED
    PyCriticalSection section_;
#endif
};

// Reads and changes a reference of an object that another thread may change at the same time.
template <class Object>
class SharedReference {
public:
    SharedReference(PyObject* owner, Object*& place) noexcept : lock_(owner), place_(place) {}

    // A new reference, or nullptr.
    PyObject* get() const noexcept { return Py_XNewRef(reinterpret_cast<PyObject*>(place_)); }
    PyObject* exchange(PyObject* value) noexcept {
        Object* old = place_;
        if constexpr (has_gil) {
            place_ = reinterpret_cast<Object*>(value);
        }
        else {  // CPython reads a `__dict__` without the lock
            std::atomic_ref<Object*>(place_).store(reinterpret_cast<Object*>(value), std::memory_order_release);
        }
        return reinterpret_cast<PyObject*>(old);
    }

private:
    ObjectLock lock_;
    Object*& place_;
};

// Stops the interpreter's other threads while in scope, if there is no GIL and CPython lets extensions do so (3.14 on).
// They stop between two instructions of Python code or while they wait, hence never in the middle of a switch.
// Meanwhile, nothing may be locked, allocated or released.
class OthersStopped {
public:
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
    static constexpr bool is_possible = true;
    OthersStopped() noexcept { _PyEval_StopTheWorld(interpreter_); }
    ~OthersStopped() { _PyEval_StartTheWorld(interpreter_); }
    OthersStopped(const OthersStopped&) = delete;
    OthersStopped& operator=(const OthersStopped&) = delete;

private:
    PyInterpreterState* interpreter_ = PyInterpreterState_Get();
#else
    static constexpr bool is_possible = false;
#endif
};

// Holds a lock while in scope, except between release() and acquire_again().
class Holding {
public:
#ifdef Py_GIL_DISABLED
    explicit Holding(Lock& lock) noexcept : lock_(lock) { lock.lock(); }
    ~Holding() { release(); }

    void release() noexcept {
        if (is_held_) {
            lock_.unlock();
            is_held_ = false;
        }
    }

    void acquire_again() noexcept {
        lock_.lock();
        is_held_ = true;
    }
#else
    explicit Holding(Lock&) noexcept {}
    ~Holding() {}
    void release() noexcept {}
    void acquire_again() noexcept {}
#endif
    Holding(const Holding&) = delete;
    Holding& operator=(const Holding&) = delete;

#ifdef Py_GIL_DISABLED
private:
    Lock& lock_;
    bool is_held_ = true;
#endif
};

}  // namespace interpreter
