// References that C++ functions hold while their greenlet is suspended.
//
// What only the C stack refers to is out of the garbage collector's sight: it has to take it for referenced from outside, and
// all that can be reached from it for alive. A function that switches away while it owns an object keeps that in a Held: it
// is in a list of the greenlet's Activation, which is visited with the frames.

#pragma once

#include <utility>

#include "core/reference.hpp"
#include "core/thread.hpp"

namespace core {

class Held {
public:
    // Of the greenlet that is running.
    Held(Thread& thread, Reference object) noexcept
        : object_(object.release()),
          innermost_(thread.current->pimpl->activation->held),
          outer_(std::exchange(innermost_, this)) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
        innermost_ = outer_;
        Py_XDECREF(object_);
    }

    PyObject* get() const noexcept { return object_; }
    PyObject* exchange(PyObject* object) noexcept { return std::exchange(object_, object); }
    explicit operator bool() const noexcept { return object_ != nullptr; }

    // For a greenlet that is suspended.
    static int traverse(const Held* innermost, visitproc visit, void* arg) noexcept {
        for (const Held* held = innermost; held != nullptr; held = held->outer_) {
            Py_VISIT(held->object_);
        }
        return 0;
    }

    // For a greenlet that will never run again.
    static void release(Held* innermost) noexcept {
        while (innermost != nullptr) {
            Held* outer = innermost->outer_;
            Py_CLEAR(innermost->object_);
            innermost = outer;
        }
    }

private:
    PyObject* object_;
    Held*& innermost_;
    Held* outer_;
};

}  // namespace core
