#include "stackless/ownership.hpp"

#include <utility>

#include "interpreter/collector.hpp"
#include "stackless/channel.hpp"

namespace stackless {

void drop_ownership(Tasklet* t) noexcept {
    const Scheduler& s = *t->scheduler;
    bool is_in_first_greenlet = t->is_active && !t->is_main && t->suspension == Suspension::in_turn && has_stack(t) &&
                                t->greenlet == t->first_greenlet;
    // A subclass with a finalizer of its own may not call the one that ends a tasklet.
    bool ends_when_released = Py_TYPE(t)->tp_finalize == s.state->tasklet_type->tp_finalize;
    if (t->chain != Chain::none || !is_in_first_greenlet || !ends_when_released || s.thread == nullptr) {
        return;
    }
    t->suspension = Suspension::unowned;
    if (interpreter::was_finalized(as_object(t))) {
        interpreter::expect_finalizer(as_object(t));
    }
    t->outcome.disown(as_object(t));
    Py_DECREF(t->owner->exchange(nullptr));
}

void restore_ownership(Tasklet* t) noexcept {
    if (t->suspension != Suspension::unowned) {
        return;
    }
    t->suspension = Suspension::in_turn;
    t->outcome.own_again(as_object(t));
    if (has_stack(t)) {
        t->owner->exchange(Py_NewRef(as_object(t)));
    }
}

Tasklet* unlink(Tasklet* t) noexcept {
    switch (t->chain) {
        case Chain::runnable:
            t->scheduler->runnable.remove(t);
            return t;
        case Chain::channel:
            t->channel->remove(t);
            return t;
        case Chain::none:
            restore_ownership(t);
            break;
    }
    return as_tasklet(Py_NewRef(as_object(t)));
}

}  // namespace stackless
