// References that C++ functions own while their greenlet is suspended.
//
// The garbage collector does not see a reference on the C stack: it takes the object for referenced from outside, and
// all that the object refers to for alive. So a function that switches away while it owns an object keeps that in a
// GcRoot. The greenlet's Activation lists these, and traverse() visits them with the frames.

#pragma once

#include <utility>

#include "core/reference.hpp"
#include "core/thread.hpp"

namespace core {

class GcRoot {
public:
    // For the running greenlet.
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

    // The object of the outermost call that holds one: borrowed, or nullptr.
    static PyObject* outermost(const GcRoot* innermost) noexcept {
        PyObject* object = nullptr;
        for (const GcRoot* held = innermost; held != nullptr; held = held->outer_) {
            object = held->object_;
        }
        return object;
    }

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
