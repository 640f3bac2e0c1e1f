// The runnable tasklets of a thread, in the order of their turns. The current one is the first, except between the
// steps of a switch.
//
// Owns the tasklets. tasklets_lock is held to change it; first() and count() may be called without the lock.

#pragma once

#include "stackless/tasklet.hpp"

namespace stackless {

class Runnable {
public:
    Tasklet* first() const noexcept { return ring_.first(); }
    bool is_empty() const noexcept { return ring_.first() == nullptr; }
    Py_ssize_t count() const noexcept { return count_; }

    // Links a tasklet at the end of the ring. Takes ownership of a reference.
    void append(Tasklet* t) noexcept {
        note_linked(t);
        ring_.append(t);
    }

    // Links a tasklet at the front. Takes ownership of a reference.
    void prepend(Tasklet* t) noexcept {
        note_linked(t);
        ring_.prepend(t);
    }

    // Links a tasklet at the front, and moves the one that was first to the end. Takes ownership of a reference.
    void overtake(Tasklet* t) noexcept {
        note_linked(t);
        ring_.insert_second(t);
        ring_.rotate_to(t);
    }

    // Unlinks a tasklet. Passes the reference to the caller.
    void remove(Tasklet* t) noexcept {
        t->chain = Chain::none;
        count_ += -1;
        ring_.remove(t);
    }

    // Makes a tasklet of the ring the first one. Those that were before it come last.
    void rotate_to(Tasklet* t) noexcept { ring_.rotate_to(t); }

    // Moves a tasklet of the ring, which must not be the first, to the second place.
    void move_to_second(Tasklet* t) noexcept {
        ring_.remove(t);
        ring_.insert_second(t);
    }

private:
    void note_linked(Tasklet* t) noexcept {
        t->chain = Chain::runnable;
        count_ += 1;
    }

    ChainRing ring_;
    interpreter::SharedValue<Py_ssize_t> count_;
};

}  // namespace stackless
