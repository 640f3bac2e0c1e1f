// A ring: an intrusive doubly linked list, in which the first element follows the last one.
//
// Nothing is allocated to link an element. A ring owns no references; each use of it says who owns the elements.

#pragma once

#include "interpreter/threading/shared_value.hpp"

namespace stackless {

// An element's neighbours; nullptr while it is in no ring.
template <class T>
struct Link {
    T* previous;
    T* next;
};

template <class T, Link<T> T::* link>
class Ring {
public:
    // nullptr if the ring is empty.
    T* first() const noexcept { return first_; }

    // The element after another one, and the one before it: nullptr after the last one, and before the first.
    T* after(const T* element) const noexcept {
        T* next = (element->*link).next;
        return next != first_ ? next : nullptr;
    }
    T* before(const T* element) const noexcept { return element != first_ ? (element->*link).previous : nullptr; }

    void append(T* element) noexcept {
        if (first_ == nullptr) {
            first_ = (element->*link).previous = (element->*link).next = element;
            return;
        }
        insert(element, first_);
    }

    void prepend(T* element) noexcept {
        append(element);
        first_ = element;
    }

    // The ring must not be empty.
    void insert_second(T* element) noexcept { insert(element, (first_->*link).next); }

    void remove(T* element) noexcept {
        auto [previous, next] = element->*link;
        if (next == element) {
            first_ = nullptr;
        }
        else {
            (previous->*link).next = next;
            (next->*link).previous = previous;
            if (first_ == element) {
                first_ = next;
            }
        }
        element->*link = {};
    }

    // Makes an element of the ring its first one.
    void rotate_to(T* element) noexcept { first_ = element; }

private:
    void insert(T* element, T* place) noexcept {
        T* previous = (place->*link).previous;
        element->*link = {previous, place};
        (previous->*link).next = element;
        (place->*link).previous = element;
    }

    interpreter::SharedValue<T*> first_;
};

}  // namespace stackless
