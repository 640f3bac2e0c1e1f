// What a tasklet is resumed with, and what a channel passes on: a value, or an exception to be raised.

#pragma once

#include <cstdint>
#include <utility>

#include "interpreter/pending_exception.hpp"

namespace stackless {

// Owns its object. An empty outcome stands for the value None.
class Outcome {
public:
    Outcome() noexcept = default;
    // Both take ownership of the reference.
    static Outcome value(PyObject* object) noexcept { return Outcome(object, Kind::value); }
    static Outcome error(PyObject* exception) noexcept { return Outcome(exception, Kind::error); }

    [[gnu::always_inline]] Outcome(Outcome&& other) noexcept
        : object_(std::exchange(other.object_, nullptr)), kind_(std::exchange(other.kind_, Kind::value)) {}
    [[gnu::always_inline]] Outcome& operator=(Outcome&& other) noexcept {
        Outcome old = exchange(std::move(other));
        return *this;
    }
    [[gnu::always_inline]] ~Outcome() {
        if (object_ != nullptr) [[unlikely]] {
            Py_DECREF(object_);
        }
    }

    bool is_empty() const noexcept { return object_ == nullptr; }
    PyObject* get() const noexcept { return object_; }
    // The value. `owner` is the object that this is the outcome of. Borrowed; nullptr for None.
    PyObject* get(PyObject* owner) const noexcept { return kind_ == Kind::owner ? owner : object_; }
    Outcome copy() const noexcept { return Outcome(Py_XNewRef(object_), kind_); }

    // Replaces this outcome by `other`, and returns the previous one.
    [[gnu::always_inline]] Outcome exchange(Outcome other) noexcept {
        std::swap(object_, other.object_);
        std::swap(kind_, other.kind_);
        return other;
    }
    [[gnu::always_inline]] Outcome take() noexcept { return exchange(Outcome()); }

    // Passes ownership of the object to the caller.
    [[gnu::always_inline]] PyObject* release() noexcept { return std::exchange(object_, nullptr); }

    // Returns the value, or raises the exception and returns nullptr.
    [[gnu::always_inline]] PyObject* deliver() && noexcept {
        PyObject* object = release();
        if (kind_ == Kind::error) [[unlikely]] {
            interpreter::put_exception(object);
            return nullptr;
        }
        return object != nullptr ? object : Py_NewRef(Py_None);
    }

    // An object whose outcome is the object itself would keep itself alive. If the value is `owner`, disown() drops the
    // reference and only notes that `owner` is meant; own_again() takes the reference back.
    void disown(PyObject* owner) noexcept {
        if (object_ == owner) {
            Py_DECREF(std::exchange(object_, nullptr));
            kind_ = Kind::owner;
        }
    }
    void own_again(PyObject* owner) noexcept {
        if (kind_ == Kind::owner) {
            object_ = Py_NewRef(owner);
            kind_ = Kind::value;
        }
    }

private:
    enum class Kind : std::uint8_t { value, error, owner };

    Outcome(PyObject* object, Kind kind) noexcept : object_(object), kind_(kind) {}

    PyObject* object_ = nullptr;
    Kind kind_ = Kind::value;
};

}  // namespace stackless
