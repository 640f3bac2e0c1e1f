// References that C++ functions hold while their greenlet is suspended.
//
// What only the C stack refers to is out of the garbage collector's sight: it has to take it for referenced from outside, and
// all that can be reached from it for alive. A function that switches away while it owns an object keeps that in a GcRoot: it
// is in a list of the greenlet's Activation, which is visited with the frames.

#pragma once

#include <utility>

#include "core/reference.hpp"
#include "core/thread.hpp"

namespace core {

class GcRoot {
public:
    // Of the greenlet that is running.
    GcRoot(Thread& thread, Reference object) noexcept
        : object_(object.release()),
          innermost_(thread.current->pimpl->activation->gc_roots),
          outer_(std::exchange(innermost_, this)) {}
    GcRoot(const GcRoot&) = delete;
    GcRoot& operator=(const GcRoot&) = delete;
    ~GcRoot() {
        innermost_ = outer_;
        Py_XDECREF(object_);
    }

    PyObject* get() const noexcept { return object_; }
    PyObject* exchange(PyObject* object) noexcept { return std::exchange(object_, object); }
    explicit operator bool() const noexcept { return object_ != nullptr; }

    // For a greenlet that is suspended.
    static int traverse(const GcRoot* innermost, visitproc visit, void* arg) noexcept {
        for (const GcRoot* held = innermost; held != nullptr; held = held->outer_) {
            Py_VISIT(held->object_);
        }
        return 0;
    }

    // For a greenlet that will never run again.
    static void release(GcRoot* innermost) noexcept {
        while (innermost != nullptr) {
            GcRoot* outer = innermost->outer_;
            Py_CLEAR(innermost->object_);
            innermost = outer;
        }
    }

private:
    PyObject* object_;
    GcRoot*& innermost_;
    GcRoot* outer_;
};

}  // namespace core
