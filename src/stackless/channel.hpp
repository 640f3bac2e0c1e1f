// The channel object: where tasklets meet to hand over a value. It stores none: the tasklet that comes first waits.

#pragma once

#include "stackless/tasklet.hpp"

namespace stackless {

struct Channel {
    PyObject_HEAD
    ChainRing waiting;                             // owns its tasklets
    interpreter::SharedValue<Py_ssize_t> balance;  // how many wait to send; negative: to receive
    // Which of two that meet runs at once: -1 the receiver, 1 the sender, 0 the one that did not have to wait.
    interpreter::SharedValue<int> preference;
    interpreter::SharedValue<bool> schedule_all;  // neither: it is the next one's turn
    interpreter::SharedValue<bool> closing;       // nobody may begin to wait
    Scheduler* user;  // owned; of the thread that used it last, where that is quicker to know than to find out
    PyObject* weak_references;

    // Puts a tasklet at the end. Takes over a reference.
    void append(Tasklet* t, bool sends) noexcept {
        t->chain = Chain::channel;
        t->channel = this;
        t->sends = sends;
        waiting.append(t);
        balance += sends ? 1 : -1;
    }

    // Gives the caller the reference.
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
