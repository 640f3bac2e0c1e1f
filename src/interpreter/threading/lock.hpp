// Free-threaded builds: a lock for plain data that several threads change. In other builds the GIL is that lock, and
// this one is nothing.
//
// Not to be held while Python code may run, a reference is dropped, or stacks are switched.

#pragma once

#include <atomic>

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

#ifdef Py_GIL_DISABLED

inline constexpr bool has_gil = false;

class Lock {
public:
    void lock() noexcept { PyMutex_Lock(&mutex_); }
    void unlock() noexcept { PyMutex_Unlock(&mutex_); }

private:
    PyMutex mutex_{};
};

#else

inline constexpr bool has_gil = true;  // with Python objects

class Lock {
public:
    void lock() noexcept {}
    void unlock() noexcept {}
};

#endif

// Holds the lock that each object of a free-threaded build has to the end of the scope.
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

// Reads and changes a reference of an object's that another thread may change at the same time. Where threads take turns that is
// nothing but the reading or the changing.
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
        else {  // CPython reads a __dict__ without the lock
            std::atomic_ref<Object*>(place_).store(reinterpret_cast<Object*>(value), std::memory_order_release);
        }
        return reinterpret_cast<PyObject*>(old);
    }

private:
    ObjectLock lock_;
    Object*& place_;
};

// Stops the interpreter's other threads to the end of the scope, where they do not take turns and CPython lets extensions
// do so. They stop between two instructions of Python code or while they wait, hence never in the middle of a switch. Nothing is
// to be locked, allocated or let go of meanwhile.
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

// Holds a lock to the end of the scope, but for the time between release() and acquire_again().
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
