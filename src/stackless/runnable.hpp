// The runnable tasklets of a thread, in the order of their turns. The current one is the first, but for the steps of a
// switch.
//
// Owns them. tasklets_lock is held to change it; the first one and the count may be read without.

#pragma once

#include "stackless/tasklet.hpp"

namespace stackless {

class Runnable {
public:
    Tasklet* first() const noexcept { return ring_.first(); }
    bool is_empty() const noexcept { return ring_.first() == nullptr; }
    Py_ssize_t count() const noexcept { return count_; }

    // Puts a tasklet at the end, which is before the current one. Takes over a reference.
    void append(Tasklet* t) noexcept {
        count_in(t);
        ring_.append(t);
    }

    // Puts one first. Takes over a reference.
    void prepend(Tasklet* t) noexcept {
        count_in(t);
        ring_.prepend(t);
    }

    // Puts one first, and the one that was first at the end. Takes over a reference.
    void overtake(Tasklet* t) noexcept {
        count_in(t);
        ring_.insert_second(t);
        ring_.rotate_to(t);
    }

    // Gives the caller the reference.
    void remove(Tasklet* t) noexcept {
        t->chain = Chain::none;
        count_ += -1;
        ring_.remove(t);
    }

    // Makes one of them the first; those that were before it come last.
    void rotate_to(Tasklet* t) noexcept { ring_.rotate_to(t); }

    // Moves one of them, which is not the first, to the second place.
    void move_to_second(Tasklet* t) noexcept {
        ring_.remove(t);
        ring_.insert_second(t);
    }

private:
    void count_in(Tasklet* t) noexcept {
        t->chain = Chain::runnable;
        count_ += 1;
    }

    ChainRing ring_;
    interpreter::SharedValue<Py_ssize_t> count_;
};

}  // namespace stackless
