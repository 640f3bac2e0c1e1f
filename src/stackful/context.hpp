// The context switch: it suspends the running execution and resumes another one.
//
// An *execution* is one thread of control. It runs on the operating-system thread's own stack, or was started on a
// stack of its own. Exactly one execution of a thread runs at a time. The others are *suspended*: the callee-saved
// registers of each lie on its stack, and its `Context` says where:
//
//        running                      suspended
//     +-----------+               +---------------+
//     |  frames   |               |    frames     |
//     |    ...    |               |      ...      |
//     |           | <- sp         | return address|
//     +-----------+               | saved         |
//                                 |   registers   | <- Context::stack_pointer
//                                 +---------------+
//
// The file has two halves. `stackful_switch` and `make_context` are the primitives; arch/ has an implementation for
// each processor. A client uses `Execution`, `prepare`, `switch_to`, `finish` and `retire`, which also inform the
// sanitizers and Valgrind (annotations.hpp). Where those tools are off, they compile to the bare primitives.
//
// The life of an execution on a stack of its own:
//
//     prepare(e, slot, entry)               nothing runs yet (stack.hpp)
//     switch_to(here, e, value)             entry(value) begins on the stack; it calls entered() first
//     switch_to(e, here, value) ...         back and forth, any number of times
//     finish(e, here, value)                from within e, which never runs again
//     retire(e, slot)                       from another execution; now the stack may be used for something else
//
// A default-constructed Execution stands for the thread's own stack, and needs neither prepare() nor retire().
//
// Some code has to run on the thread's own stack, because it compares the stack pointer with the bounds of that stack.
// call_below() calls a function there without a switch, below the frames of the execution that is suspended there. That
// execution must not be resumed until the function has returned.
//
// How to keep a switch fast. The processor predicts the target of a `ret` from the `call`s it has seen. A switch ends
// in a `ret` that belongs to another stack's `call`, and the prediction is right if both `call`s are the same
// instruction. So a program should have *one* out-of-line function that calls switch_to, for starting, switching and
// finishing alike (benchmarks/stackful measures both ways).
//
// What an entry function must observe. It never returns. It lets no C++ exception out, because no frame above it can
// catch one, and the program would end in std::terminate. For `pthread_exit` to work on its stack, neither it nor the
// functions that call foreign code from it may be `noexcept`: `pthread_exit` unwinds the stack's frames, then ends the
// thread.

#pragma once

#include <cstddef>
#include <cstdint>
#if defined(STACKFUL_HAS_BOUNDS)
#include <cstring>
#endif

#include "stackful/annotations.hpp"
#include "stackful/system/system.hpp"

namespace stackful {

// Which switch was compiled in: the name of its file in arch/.
inline constexpr const char* switch_name = STACKFUL_SWITCH;

using Function = void* (*)(void* argument);

// The first function of a stack. It gets the value that the first switch to it transfers, and never returns.
using EntryPoint = void (*)(void* transfer);

// What an execution may do first when it is resumed. It gets two pointers and the value from the one that resumes it.
using Arrival = void* (*)(void* x, void* y, void* transfer);

// A suspended execution. Without meaning while the execution runs.
struct Context {
    void* stack_pointer = nullptr;  // where its registers are saved, on its own stack
};

extern "C" {

// Suspends the caller into `*from` and resumes `to`. Returns when the caller is resumed, with the value that is
// transferred then.
void* stackful_switch(Context* from, Context to, void* transfer);

// The same, for an execution that has begun. When that execution is resumed, arrival(x, y, transfer) is called first,
// on its stack, and the call that suspended the execution returns the result. That call may be of any of the three
// functions.
void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival);

// The same, with a jump in place of the return from that call. The processor predicts the jump if the two executions
// take turns and were suspended in different places; but the returns that follow are predicted wrong.
#ifdef STACKFUL_HAS_JUMP
void* stackful_switch_arriving_by_jump(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival);
#endif

// The stack pointer for make_context(). Where the system keeps the bounds of the running stack, a context has them too.
#if defined(STACKFUL_HAS_BOUNDS)
void* stackful_make_context(void* stack_base, EntryPoint entry, void* low, void* limit) noexcept;
#else
void* stackful_make_context(void* stack_base, EntryPoint entry) noexcept;
#endif

// Calls function(argument) on the stack that grows down from `stack_pointer` (16-byte aligned), and returns its result.
// A context is saved there, which must not be resumed meanwhile. C++ exceptions, and whatever else unwinds the stack,
// pass through.
void* stackful_call_on(void* stack_pointer, Function function, void* argument);

// Calls function(argument) on the caller's own stack, and returns its result. To an unwinder it looks as if the
// execution that is suspended at `stack_pointer` had called it.
#ifdef STACKFUL_HAS_CALL_BESIDE
void* stackful_call_beside(void* stack_pointer, Function function, void* argument);
#endif
}

// The context of an execution that begins with entry(transfer) when it is first switched to, on the stack that grows
// down from `base` (16-byte aligned) to `low`. It takes over the floating-point control words of the caller.
inline Context make_context([[maybe_unused]] std::byte* low, std::byte* base, EntryPoint entry,
                            [[maybe_unused]] system::Extent extent = {}) noexcept {
#if defined(STACKFUL_HAS_BOUNDS)
    return Context{stackful_make_context(base, entry, low, extent.limit != nullptr ? extent.limit : low)};
#else
    return Context{stackful_make_context(base, entry)};
#endif
}

// How far the stack of a suspended execution is accessible: its context remembers it.
#if defined(STACKFUL_HAS_BOUNDS)
inline constexpr std::size_t offset_of_extent = 168;

inline system::Extent extent_of(Context suspended) noexcept {
    system::Extent extent;
    std::memcpy(&extent, static_cast<std::byte*>(suspended.stack_pointer) + offset_of_extent, sizeof extent);
    return extent;
}
inline void set_extent(Context suspended, system::Extent extent) noexcept {
    std::memcpy(static_cast<std::byte*>(suspended.stack_pointer) + offset_of_extent, &extent, sizeof extent);
}
#else
inline system::Extent extent_of(Context) noexcept { return {}; }
inline void set_extent(Context, system::Extent) noexcept {}
#endif

// One thread of control, and what the tools know about it. Must not be moved between prepare() and retire().
struct Execution {
    Context context;
    [[no_unique_address]] annotations::Fiber fiber;
};

// Whether an execution that switches away comes back.
enum class Leaving { temporarily, permanently };

// Prepares `execution` to begin at `entry` on the stack [low, base).
inline void prepare(Execution& execution, std::byte* low, std::byte* base, EntryPoint entry,
                    system::Extent extent = {}) noexcept {
    execution.fiber.create(low, base);
    execution.context = make_context(low, base, entry, extent);
}

// The first thing an entry function calls.
[[gnu::always_inline]] inline void entered() noexcept { annotations::Fiber::entered(); }

// Suspends `from`, the running execution, and resumes `to`. Returns the value that is transferred when `from` is
// resumed.
[[gnu::always_inline]] inline void* switch_to(Execution& from, Execution& to, void* transfer,
                                              Leaving leaving = Leaving::temporarily) {
    from.fiber.leave(to.fiber, leaving == Leaving::permanently);
    void* received = stackful_switch(&from.context, to.context, transfer);
    from.fiber.resumed();
    return received;
}

// How the execution that is resumed returns to its caller.
enum class Returning { by_ret, by_jump };

// The switches of a program whose executions have something to do whenever they are resumed: what `arrival` does. A
// caller that has nothing to do afterwards needs no frame on its stack meanwhile. `arrival` must first call arrived().
template <Returning returning = Returning::by_ret>
[[gnu::always_inline]] inline void* switch_arriving(Execution& from, Execution& to, Arrival arrival, void* x, void* y,
                                                    void* transfer, Leaving leaving = Leaving::temporarily) {
    from.fiber.leave(to.fiber, leaving == Leaving::permanently);
#ifdef STACKFUL_HAS_JUMP
    if constexpr (returning == Returning::by_jump) {
        return stackful_switch_arriving_by_jump(x, y, transfer, &from.context, to.context, arrival);
    }
#endif
    return stackful_switch_arriving(x, y, transfer, &from.context, to.context, arrival);
}

// The same, to an execution that has not begun.
[[gnu::always_inline]] inline void* begin_arriving(Execution& from, Execution& to, void* transfer,
                                                   Leaving leaving = Leaving::temporarily) {
    from.fiber.leave(to.fiber, leaving == Leaving::permanently);
    return stackful_switch(&from.context, to.context, transfer);
}

[[gnu::always_inline]] inline void arrived(Execution& resumed) noexcept { resumed.fiber.resumed(); }

// The last thing an execution does: it never runs again.
[[noreturn, gnu::always_inline]] inline void finish(Execution& from, Execution& to, void* transfer) noexcept {
    switch_to(from, to, transfer, Leaving::permanently);
    __builtin_unreachable();
}

// What call_below() passes to the other stack.
struct CallBelow {
    Execution& caller;
    Function function;
    void* argument;
};

inline void* make_call_below(void* passed) {
    struct Stay {
        Execution& caller;
        explicit Stay(Execution& execution) : caller(execution) { annotations::Fiber::has_arrived_below(); }
        ~Stay() { caller.fiber.return_from_below(); }
    };
    auto& call = *static_cast<CallBelow*>(passed);
    Stay stay(call.caller);
    return call.function(call.argument);
}

// Calls function(argument) on the stack of `suspended`, below its frames, and returns its result. `caller` is the
// running execution and remains it. Neither of the two may be switched to meanwhile.
inline void* call_below(Execution& caller, Execution& suspended, Function function, void* argument) {
    struct Trip {
        Execution& caller;
        Trip(Execution& execution, Execution& host) : caller(execution) { caller.fiber.go_below(host.fiber); }
        ~Trip() { caller.fiber.resumed(); }
    };
    CallBelow call{caller, function, argument};
    auto free_below = reinterpret_cast<std::uintptr_t>(suspended.context.stack_pointer) & ~std::uintptr_t{15};
    Trip trip(caller, suspended);
    return stackful_call_on(reinterpret_cast<void*>(free_below), make_call_below, &call);
}

// True if call_beside() is there on this processor.
#ifdef STACKFUL_HAS_CALL_BESIDE
inline constexpr bool has_call_beside = true;
#else
inline constexpr bool has_call_beside = false;
#endif

// Calls function(argument) such that an unwinder goes on to the frames of `suspended`, which has begun and stays
// suspended meanwhile. Does nothing and returns nullptr where this is not possible.
inline void* call_beside([[maybe_unused]] const Execution& suspended, [[maybe_unused]] Function function,
                         [[maybe_unused]] void* argument) {
#ifdef STACKFUL_HAS_CALL_BESIDE
    return stackful_call_beside(suspended.context.stack_pointer, function, argument);
#else
    return nullptr;
#endif
}

// Retires an execution that has finished or will not be resumed. Its stack is free for another use.
inline void retire(Execution& execution) noexcept { execution.fiber.destroy(); }

}  // namespace stackful
