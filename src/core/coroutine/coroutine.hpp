// Coroutines: greenlets that run on behalf of the greenlet that resumed them, until they yield the next value.
//
//     resumer                            body
//     resume(c, x)  ------------------->  starts, or yield_value() returns x
//     returns v     <-------------------  yield_value(c, v)
//     ...
//     returns w     <-------------------  its function returns w, or raises
//
// A plain greenlet is a peer of those it switches to. The body of a coroutine is not: until it yields it runs on behalf
// of its resumer, which may be another greenlet each time. While it runs
//   - it uses the resumer's contextvars.Context, sees the exception that the resumer handles, and its calls count as
//     nested in the resumer's for the recursion limit;
//   - its frames lead on to the resumer's (interpreter/frames/link.hpp);
//   - a switch to the resumer, or a throw into it, goes on to the body;
//   - its result and its exceptions, GreenletExit too, go to the resumer. Its `parent` is the main greenlet of the
//     thread, and gets nothing.
//
// A suspended body refers to no other greenlet. When the object that owns the coroutine goes, GeneratorExit is raised
// in the body.
//
// A processor predicts the place that a function returns to from the place of its call. A body and its resumer are
// suspended in different places, so the prediction would be wrong at each switch. transfer_by_jump() jumps instead, and
// the processor predicts a jump from where it went before. Rare work after a switch is found through State::awaits, not
// by code after the call.
//
// A greenlet that the body started may yield in the body's place. Then that greenlet is suspended, and the next
// resume() resumes it instead of the body.

#pragma once

#include "core/greenlet.hpp"
#include "core/message.hpp"
#include "core/thread.hpp"

namespace core {

// What differs between generators and awaitable coroutines.
struct CoroutineKind {
    const char* name;      // as in "generator already executing"
    bool is_awaited_once;  // it must be awaited exactly once; a generator may be resumed after its end
    const void* (*running_task)(Thread& thread) noexcept;  // the task that it begins in, or nullptr
    bool passes_exceptions_on;  // an exception that is thrown in goes to what the body awaits first
};

// How resume() reports that the function returned a value: by StopIteration; as tp_iternext does, which sets no
// exception if the value is None; or by returning the value.
enum class ReturnAs : std::uint8_t { stop_iteration, iternext, value };

// Lies in the Python object that owns the coroutine.
struct Coroutine {
    enum class State : std::uint8_t { unstarted, suspended, running, finished };

    const CoroutineKind* kind;
    PyGreenlet* body;     // owned; while suspended or running
    PyGreenlet* yielder;  // owned; the greenlet that yielded last, if that is not the body
    interpreter::SharedValue<State> state;
    ReturnAs return_as;  // for the last resumer
    // The thread that started it.
    [[no_unique_address]] interpreter::Owner<Thread> owner;

    // Changes the state from unstarted to `wanted`. False if another thread did so first, which can only happen without
    // a GIL.
    bool claim(State wanted) noexcept { return state.replace(State::unstarted, wanted); }

    // For the object's slots.
    int traverse(visitproc visit, void* arg) const noexcept;

    // Releases what it owns. A body that is still active ends then.
    void unref() noexcept;
};

// Starts a coroutine with function(*arguments), and returns as resume() does. The caller has claimed the coroutine as
// running. If the coroutine can't be started it stays running, without a body.
PyObject* start(Coroutine& coroutine, PyObject* function, const Message& message, ReturnAs return_as) noexcept;

// Resumes a suspended coroutine with a value, whose reference it takes over, or with the exception in flight if `value`
// is nullptr. Returns what the coroutine yields: a new reference. When its function returns, the state is finished, and
// `return_as` says how that is reported. nullptr with what the function raised, with ValueError if the coroutine runs,
// or with greenlet.error in the wrong thread.
PyObject* resume(Coroutine& coroutine, PyObject* value, ReturnAs return_as) noexcept;

// The result of resume(..., ReturnAs::value), as PyIter_Send() returns it.
inline PySendResult send_result(const Coroutine& coroutine, PyObject* value) noexcept {
    return value == nullptr ? PYGEN_ERROR : coroutine.state == Coroutine::State::suspended ? PYGEN_NEXT : PYGEN_RETURN;
}

// Raises ValueError: the coroutine is already executing.
void refuse_running(const Coroutine& coroutine) noexcept;

// Yields a value, whose reference it takes over, to the resumer of `coroutine`, which is running_coroutine(). Returns
// what the coroutine is resumed with: a new reference, or nullptr with an exception. nullptr with greenlet.error, and
// nothing is yielded, while on_thread_stack() runs a function.
PyObject* yield_value(Coroutine& coroutine, Thread& thread, PyObject* value, interpreter::CallInProgress call) noexcept;

// The innermost coroutine of a kind that the running greenlet is part of, as its body or as a greenlet that the body
// started: borrowed, or nullptr. `through_others`: looks beyond coroutines of other kinds.
Coroutine* running_coroutine(Thread& thread, const CoroutineKind& kind, bool through_others) noexcept;

// The methods throw() and close() of the object. They finish an unstarted coroutine.
PyObject* throw_into(Coroutine& coroutine, PyObject* const* arguments, Py_ssize_t count, ReturnAs return_as) noexcept;

// Raises GeneratorExit in the body. Returns what its function returns, or None: a new reference; or nullptr with an
// exception.
PyObject* close(Coroutine& coroutine) noexcept;

// For tp_finalize: close(), with exceptions reported as unraisable.
void finalize(Coroutine& coroutine, PyObject* object) noexcept;

}  // namespace core
