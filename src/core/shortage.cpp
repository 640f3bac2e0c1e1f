#include "core/shortage.hpp"

#include "core/settings.hpp"
#include "interpreter/versions/cpython.hpp"
#include "stackful/pool.hpp"

namespace core {

namespace {

using stackful::system::Obstacle;

// Which limit was reached, and what to do.
const char* explain(Obstacle obstacle) noexcept {
    switch (obstacle) {
        case Obstacle::address_space:
            return "the limit of the process's address space is reached (RLIMIT_AS, ulimit -v): raise it, or set a smaller "
                   "greenlet.stack_size()";
        case Obstacle::data:
            return "the limit of the process's data is reached (RLIMIT_DATA, ulimit -d): raise it, or set a smaller "
                   "greenlet.stack_size()";
        case Obstacle::locked:
            return "the limit of locked memory is reached (RLIMIT_MEMLOCK, ulimit -l): raise it, or set a smaller "
                   "greenlet.stack_size()";
        case Obstacle::promises:
            return "the system promises no more memory than it has (vm.overcommit_memory=2): raise vm.overcommit_ratio, or "
                   "set a smaller greenlet.stack_size()";
        case Obstacle::mappings:
            return "the process has as many mappings as it may have (vm.max_map_count): raise that";
        case Obstacle::memory:
            break;
    }
    return "the system has none left: keep fewer active";
}

}  // namespace

void raise_no_room(std::size_t slot_bytes) noexcept {
    Obstacle obstacle = stackful::system::find_obstacle(slot_bytes, stackful::system::preferred_commit());
    std::size_t active = stackful::StackPool::shared().slots_in_use();
    PyErr_Format(PyExc_MemoryError,
                 "no memory for the stack of a greenlet, of %zu bytes: %zu are active in this process; %s",
                 stack_size(), active, explain(obstacle));
}

}  // namespace core
