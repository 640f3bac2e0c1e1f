// The channel object, through which one tasklet passes a value to another. It stores no values: the tasklet that comes
// first waits.

#pragma once

#include "stackless/tasklet.hpp"

namespace stackless {

struct Channel {
    PyObject_HEAD
    ChainRing waiting;
    interpreter::SharedValue<Py_ssize_t> balance;  // how many tasklets wait to send; negative: to receive
    // Which of two tasklets that meet runs first: -1 the receiver, 1 the sender, 0 the one that did not have to wait.
    interpreter::SharedValue<int> preference;
    interpreter::SharedValue<bool> schedule_all;  // neither of them: the next runnable tasklet does
    interpreter::SharedValue<bool> closing;       // no tasklet may begin to wait
    Scheduler* last_user;  // owned; of the thread that used the channel last. A cache, empty without a GIL
    PyObject* weak_references;

    // Appends a tasklet that waits. Takes ownership of a reference.
    void append(Tasklet* t, bool sends) noexcept {
        t->chain = Chain::channel;
        t->channel = this;
        t->sends = sends;
        waiting.append(t);
        balance += sends ? 1 : -1;
    }

    // Unlinks a tasklet that waits. Passes the reference to the caller.
    void remove(Tasklet* t) noexcept {
        waiting.remove(t);
        t->chain = Chain::none;
        t->channel = nullptr;
        balance += t->sends ? -1 : 1;
    }
};

inline PyObject* as_object(Channel* channel) noexcept { return reinterpret_cast<PyObject*>(channel); }
inline Channel* as_channel(PyObject* object) noexcept { return reinterpret_cast<Channel*>(object); }

}  // namespace stackless
