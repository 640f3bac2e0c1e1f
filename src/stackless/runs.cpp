#include "stackless/runs.hpp"

#include <utility>

#include "core/reference.hpp"
#include "stackless/ownership.hpp"
#include "stackless/watchdog.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

void stop_watchdog(Scheduler& s) noexcept {
    if (s.watchdog->has_alarm) {
        watchdog::set_alarm(0);
    }
    s.watchdog = nullptr;
    s.interrupt_is_due = false;
}

}  // namespace

Tasklet* fallback_tasklet(const Scheduler& s) noexcept { return s.runs != nullptr ? s.runs->tasklet : s.main; }

Tasklet* check_timeout(Scheduler& s, Tasklet* from, Tasklet* to) noexcept {
    Run& run = *s.watchdog;
    std::int64_t now = watchdog::now();
    bool over = now >= run.deadline && from != run.tasklet && to != run.tasklet;
    if (!run.is_total) {
        run.deadline = now + run.timeout;
    }
    if (!over || !(run.is_soft || run.is_total || (!run.has_alarm && from->chain == Chain::runnable))) {
        return to;
    }
    Reference before;
    Holding lock(tasklets_lock);
    if (!run.is_soft) {
        before = Reference::steal(as_object(std::exchange(run.interrupted, unlink(run.is_total ? to : from))));
    }
    s.runnable.prepend(unlink(run.tasklet));
    return run.tasklet;
}

void end_run(Scheduler& s, const Run& run) noexcept {
    Run* inner = s.runs;
    while (inner != nullptr && inner != &run) {
        inner = inner->outer;
    }
    if (inner == nullptr) {
        return;  // the call has ended together with another one, or its tasklet has ended
    }
    Holding lock(tasklets_lock);
    do {
        inner = std::exchange(s.runs, s.runs->outer);
        if (inner == s.watchdog) {
            stop_watchdog(s);
        }
        if (inner->tasklet->chain == Chain::none) {
            s.runnable.append(unlink(inner->tasklet));
        }
    } while (inner != &run);
}

void forget_runs(Scheduler& s, const Tasklet* t) noexcept {
    for (Run** place = &s.runs; *place != nullptr;) {
        Run* run = *place;
        if (run->tasklet != t) {
            place = &run->outer;
            continue;
        }
        if (run == s.watchdog) {
            stop_watchdog(s);
        }
        *place = run->outer;
    }
}

}  // namespace stackless
