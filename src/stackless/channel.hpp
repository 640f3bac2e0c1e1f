// The channel object: where tasklets meet to hand over a value. It stores none: who comes first waits for the other.

#pragma once

#include "stackless/tasklet.hpp"

namespace stackless {

struct Channel {
    PyObject_HEAD
    Tasklet* first;       // owned, all of them: the tasklets that wait
    Tasklet* last;
    interpreter::SharedValue<Py_ssize_t> balance;  // how many wait to send; negative: to receive
    // Who goes on at once: -1 the receiver, 1 the sender, 0 the one that did not have to wait.
    interpreter::SharedValue<int> preference;
    interpreter::SharedValue<bool> schedule_all;   // nobody does: it is the next one's turn
    interpreter::SharedValue<bool> closing;        // nobody may begin to wait
    Scheduler* user;      // owned; of the thread that used it last, where that is quicker to know than to find out
    PyObject* weak_references;

    // Puts a tasklet at the end. Takes over a reference.
    void append(Tasklet* t, bool sends) noexcept {
        t->chain = Chain::channel;
        t->channel = this;
        t->sends = sends;
        t->next = nullptr;
        t->previous = last;
        (last != nullptr ? last->next : first) = t;
        last = t;
        balance += sends ? 1 : -1;
    }

    // Takes one out. Gives the caller the reference.
    void remove(Tasklet* t) noexcept {
        (t->previous != nullptr ? t->previous->next : first) = t->next;
        (t->next != nullptr ? t->next->previous : last) = t->previous;
        t->chain = Chain::none;
        t->channel = nullptr;
        t->previous = t->next = nullptr;
        balance += t->sends ? -1 : 1;
    }
};

// The class. A new reference, or nullptr with an exception.
PyObject* make_channel_type() noexcept;

}  // namespace stackless
