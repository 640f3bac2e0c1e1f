#include "stackless/active.hpp"

#include "stackless/runs.hpp"

namespace stackless {

using interpreter::Holding;

void add_active(Scheduler& s, Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    t->is_active = true;
    s.active.prepend(t);
}

void remove_active(Scheduler& s, Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    remove_active_locked(s, t);
}

void remove_active_locked(Scheduler& s, Tasklet* t) noexcept {
    t->is_active = false;
    t->suspension = Suspension::in_turn;
    s.active.remove(t);
    forget_runs(s, t);
}

}  // namespace stackless
