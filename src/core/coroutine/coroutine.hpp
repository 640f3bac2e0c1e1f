// Coroutines: greenlets that run as part of another one, for as long as that takes to get their next value.
//
//     resumer                            body
//     resume(c, x)  ------------------->  starts, or yield_value() returns x
//     returns v     <-------------------  yield_value(c, v)
//     ...
//     returns w     <-------------------  its function returns w, or raises
//
// A plain greenlet is a peer of those it switches to. The body of a coroutine is not: until it gives a value it acts
// for the greenlet that resumed it, a different one each time perhaps. So while it runs
//   - it works in the resumer's context of context variables, sees the exception that the resumer handles, and its calls
//     are nested in the resumer's, as far as the recursion limit is concerned;
//   - its frames lead on to the resumer's (interpreter/frames/link.hpp);
//   - who switches to the resumer, or throws into it, is switched on to the body;
//   - its result and its exceptions, GreenletExit too, go to the resumer. Its `parent` has no part in that: it is the
//     main greenlet of the thread.
// While it is suspended it refers to no other greenlet. When the object it belongs to goes, GeneratorExit is raised in it.
//
// How little that costs: a processor predicts where a function returns to by where it was called. A value takes two
// switches, after which the prediction is wrong for every function that has to return before the interpreter goes on. So
// there is only one, core_transfer_jumping(), which all others end with a call of, and which jumps. What is seldom to be
// done after the switch is found out there, from Activation::awaited.
//
// A greenlet that the body started may give a value in the body's place. Then it is suspended, and next resumed, instead
// of the body.

#pragma once

#include "core/greenlet.hpp"
#include "core/message.hpp"
#include "core/thread.hpp"

namespace core {

// What coroutines are used for.
struct CoroutineKind {
    const char* name;      // as in "generator already executing"
    bool is_awaited_once;  // and has to be; a generator may be asked again and again after its end
    const void* (*running_task)(Thread& thread) noexcept;  // what it is noted to have begun in, or nullptr
    bool passes_exceptions_on;  // what is thrown in goes to what it waits for first, and is raised in its own code after that
};

// How a resumer wants to be told that the function returned a value: by StopIteration; by StopIteration as tp_iternext may
// do it, which is by nothing at all if the value is None; or by the value.
enum class ReturnAs : std::uint8_t { stop_iteration, iternext, value };

// To be embedded in the Python object that the coroutine belongs to.
struct Coroutine {
    enum class State : std::uint8_t { unstarted, suspended, running, finished };

    const CoroutineKind* kind;
    PyGreenlet* body;      // owned; while suspended or running; for the thread that began it
    PyGreenlet* yielder;     // owned; the greenlet that gave the last value, unless that is the body
    interpreter::SharedValue<State> state;
    ReturnAs return_as;          // as the last resumer wanted it
    [[no_unique_address]] interpreter::Owner<Thread> owner;  // the thread that began it

    // For whoever found it unstarted: has it be in another state. False if another thread was first, where they do not take
    // turns.
    bool claim(State wanted) noexcept { return state.replace(State::unstarted, wanted); }

    // For the slots of the object.
    int traverse(visitproc visit, void* arg) const noexcept;

    // Before its memory goes. Ends a body that is still there.
    void unref() noexcept;
};

// Starts it with function(*arguments). As resume(). The caller has claimed it as running; if it can't be started, it still is,
// without a body.
PyObject* start(Coroutine& coroutine, PyObject* function, const Message& message, ReturnAs return_as) noexcept;

// Has it go on with a value, a new reference that is taken over, or with the exception in flight if that is nullptr.
// Returns what it gives: a new reference. When its function returns, the state is `finished`, and the caller is told as
// it wants. nullptr: with that, with what the function raised, or because it could not be
// resumed, with greenlet.error in the wrong thread, with ValueError if it runs. It has to be suspended or running.
PyObject* resume(Coroutine& coroutine, PyObject* value, ReturnAs return_as) noexcept;

// The result of resume(..., ReturnAs::value) as PyIter_Send() has it.
inline PySendResult send_result(const Coroutine& coroutine, PyObject* value) noexcept {
    return value == nullptr                                 ? PYGEN_ERROR
           : coroutine.state == Coroutine::State::suspended ? PYGEN_NEXT
                                                            : PYGEN_RETURN;
}

// Raises ValueError.
void refuse_running(const Coroutine& coroutine) noexcept;

// Gives a value, a new reference that is taken over, to the resumer. Returns what the coroutine is resumed with: a
// new reference, or nullptr with an exception; that is greenlet.error, and nothing is given, in a function that on_thread_stack() has
// called. `coroutine` is running_coroutine().
PyObject* yield_value(Coroutine& coroutine, Thread& thread, PyObject* value, interpreter::CallInProgress call) noexcept;

// The innermost coroutine of a kind that the running greenlet is part of, as the body or started by the body: borrowed, or
// nullptr. Those of other kinds are passed if `through_others`.
Coroutine* running_coroutine(Thread& thread, const CoroutineKind& kind, bool through_others) noexcept;

// The methods of the object. The start is up to the caller, so these two finish a coroutine that is unstarted.

PyObject* throw_into(Coroutine& coroutine, PyObject* const* arguments, Py_ssize_t count, ReturnAs return_as) noexcept;

// Raises GeneratorExit in it. Returns what its function returned, or None: a new reference; or nullptr with an exception.
PyObject* close(Coroutine& coroutine) noexcept;

// When nobody refers to the object any more, for tp_finalize: close(), with errors reported as unraisable.
void finalize(Coroutine& coroutine, PyObject* object) noexcept;

// The innermost frame of one that is suspended, else None: a new reference; nullptr with an exception if memory ran out.
PyObject* suspended_frame(const Coroutine& coroutine) noexcept;

}  // namespace core
