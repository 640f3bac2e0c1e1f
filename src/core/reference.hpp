// An owning reference to a Python object. A raw PyObject* is a borrowed one, unless its comment says otherwise.

#pragma once

#include <utility>

#include "interpreter/versions/cpython.hpp"

namespace core {

class Reference {
public:
    Reference() noexcept = default;
    static Reference steal(PyObject* object) noexcept { return Reference(object); }
    static Reference borrow(PyObject* object) noexcept { return Reference(Py_XNewRef(object)); }
    // Like borrow(), for an object that is not nullptr.
    static Reference to(PyObject* object) noexcept { return Reference(Py_NewRef(object)); }
    Reference(Reference&& other) noexcept : object_(other.release()) {}
    Reference& operator=(Reference&& other) noexcept {
        PyObject* old = std::exchange(object_, other.release());
        Py_XDECREF(old);
        return *this;
    }
    ~Reference() { Py_XDECREF(object_); }

    PyObject* get() const noexcept { return object_; }
    explicit operator bool() const noexcept { return object_ != nullptr; }
    PyObject* release() noexcept { return std::exchange(object_, nullptr); }

private:
    explicit Reference(PyObject* object) noexcept : object_(object) {}
    PyObject* object_ = nullptr;
};

}  // namespace core
