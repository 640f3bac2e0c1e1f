// What a layer above core needs to see each switch: a function of its own, beside the one that settrace() sets, and
// marks on greenlets and threads.

#pragma once

#include <cstdint>

#include "interpreter/versions/cpython.hpp"

namespace core {

struct Thread;

// What keeps an arriving greenlet off the shortest path: one bit for each reason.
enum Observer : unsigned {
    tracer_set = 1,  // the thread has a trace function
    hook_set = 2     // the interpreter has a SwitchHook
};

enum class SwitchEvent : std::uint8_t {
    thread_begins,  // it begins to use greenlets; there is no origin
    switched,       // from `origin` to the thread's current greenlet
    thread_ends     // there is no origin
};

// Called in the thread itself, with an exception in flight if `is_exception`.
using SwitchHook = void (*)(Thread& thread, SwitchEvent event, PyObject* origin, bool is_exception) noexcept;

// What the layer notes of a greenlet or thread. The mark is valid if `period` is that of the running observation.
struct Mark {
    std::uint32_t number;
    std::uint16_t name;
    std::uint16_t period;  // 0: not marked
};

}  // namespace core
