// What of a CPython thread state belongs to a greenlet, and how to save and load it.
//
// A PyThreadState describes a thread: which frame runs, how deep the calls are nested, which exception is being handled,
// where the next frame goes. With several greenlets on a thread each of them has its own answers. A switch saves the
// answers of the one that suspends and loads those of the one that resumes, with plain stores; nothing is copied or
// rewritten, because the memory that the fields point to stays where it is while a greenlet is suspended.
//
// What stays with the thread: its identity, trace and profile functions, the exception in flight (which crosses a switch
// on purpose: that is how throw() works), the asyncio loop, the freed chunk kept for reuse.
//
// The part that differs most between versions, where the calls are kept track of, is in versions/calls_3_11.hpp, calls_3_13.hpp
// and calls_3_14.hpp. Which of them applies is decided here.

#pragma once

#include <new>

#include "interpreter/versions/cpython.hpp"
#include "interpreter/frames/link.hpp"

#if PY_VERSION_HEX >= 0x030E0000
#include "interpreter/versions/calls_3_14.hpp"
#elif PY_VERSION_HEX >= 0x030D0000
#include "interpreter/versions/calls_3_13.hpp"
#else
#include "interpreter/versions/calls_3_11.hpp"
#endif

namespace interpreter {

// In the order of use: what each switch stores or loads takes as few cache lines as it can.
struct State {
    Calls calls;
    _PyErr_StackItem* exc_info;          // innermost `except` block; may point into a generator
    PyObject* context;                   // owned; contextvars.Context, or nullptr until one is needed
    _PyStackChunk* datastack_chunk;      // where Python frames are put, growing up
    PyObject** datastack_top;
    PyObject** datastack_limit;
    CStack c_stack;
    _PyErr_StackItem exception_base;     // the outermost `except` block of a greenlet with a stack of its own
#if PY_VERSION_HEX >= 0x030F0000
    std::uintptr_t events_version;       // of events, for which its frames were last looked at (adapt_frames)
#endif
    Link* link;                          // to the frames of the greenlet that it is part of; nullptr if it never is

    // At a switch: what is the thread state's becomes that of `from`, and that of `to` the thread state's.
    static void exchange(PyThreadState* ts, State& from, State& to) noexcept {
        from.calls.save(ts);
        from.exc_info = ts->exc_info;
        from.context = ts->context;
        from.datastack_chunk = ts->datastack_chunk;
        from.datastack_top = ts->datastack_top;
        from.datastack_limit = ts->datastack_limit;
        from.c_stack.save(ts);
        to.calls.load(ts);
        ts->exc_info = to.exc_info;
        if (from.context != to.context) {
            ts->context = to.context;
            ts->context_ver++;  // context variables cache their value against this
        }
        ts->datastack_chunk = to.datastack_chunk;
        ts->datastack_top = to.datastack_top;
        ts->datastack_limit = to.datastack_limit;
        to.c_stack.load(ts);
    }

    StackLimit stack_limit() const noexcept { return StackLimit::of(calls, c_stack); }

    // Where the unused part of the first chunk begins, while suspended: its end, if later chunks are in use.
    const void* first_chunk_top() const noexcept {
        const _PyStackChunk* chunk = datastack_chunk;
        if (chunk->previous == nullptr) {
            return datastack_top;
        }
        while (chunk->previous != nullptr) {
            chunk = chunk->previous;
        }
        return reinterpret_cast<const std::byte*>(chunk) + chunk->size;
    }

    // What a greenlet begins with that has the C stack [low, base) and puts its first frames into [chunk, chunk_end).
    void begin(PyThreadState* ts, const std::byte* low, const std::byte* base, std::byte* chunk,
               std::byte* chunk_end, PyObject* first_context) noexcept {
        begin_calls(ts, calls, c_stack, low, base);
        exception_base = {};
        exc_info = &exception_base;
        context = first_context;
        // CPython frees a chunk when it pops the frame at &data[0], so in one that is not CPython's to free the first
        // frame is put at &data[1].
        datastack_chunk = reinterpret_cast<_PyStackChunk*>(chunk);
        datastack_chunk->previous = nullptr;
        datastack_chunk->size = static_cast<std::size_t>(chunk_end - chunk);
        datastack_chunk->top = 0;
        datastack_top = &datastack_chunk->data[1];
        datastack_limit = reinterpret_cast<PyObject**>(chunk_end);
#if PY_VERSION_HEX >= 0x030F0000
        events_version = 0;
#endif
    }

    // The thread state is about to go, in the middle of a greenlet that has a stack of its own, and this is the main one's state:
    // puts the data stack back that is CPython's to free.
    void return_data_stack(PyThreadState* ts) const noexcept {
        ts->datastack_chunk = datastack_chunk;
        ts->datastack_top = datastack_top;
        ts->datastack_limit = datastack_limit;
    }

    // For one that begins: counts its calls on top of those of the running greenlet, and makes a link outside of its frames, at `place`.
    void nest(PyThreadState* ts, [[maybe_unused]] std::byte* place, [[maybe_unused]] const LinkLooks& looks) noexcept {
        calls.depth = Calls::depth_of(ts);
        if constexpr (links_frames) {
            link = new (place) Link(looks, calls.innermost_frame());
        }
    }

    bool has_link() const noexcept { return links_frames && link != nullptr; }

    // The greenlet runs, and has a link: the frame that comes now leads to it.
    void begin_at_link(PyThreadState* ts) noexcept { Calls::set_running_frame(ts, link->frame()); }

    // The function that was called then has returned.
    void end_at_link(PyThreadState* ts) noexcept { Calls::set_running_frame(ts, link->end()); }

    // Has a suspended greenlet go on as part of the running one, which waits for it: in the same context, unless it has
    // one of its own, and with the exception that is being handled, and the frames, in sight.
    void nest_in(PyThreadState* ts) noexcept {
        exception_base.previous_item = ts->exc_info;
        link->lead_to(Calls::running_frame(ts));
        if (context == nullptr) {
            context = Py_XNewRef(ts->context);
        }
    }

    // The thread state is about to go.
    void end_link() noexcept {
        if (has_link()) {
            link->leave_thread_state();
        }
    }

    // Undoes nest_in(). The greenlet is suspended.
    void unnest() noexcept {
        exception_base.previous_item = nullptr;
        link->cut();
    }

    // Undoes nest_in(). The greenlet is the running one, and `other` the one it is part of.
    void unnest(PyThreadState* ts, const State& other) noexcept {
        unnest();
        if (ts->context == other.context) {
            Py_XDECREF(ts->context);
            ts->context = nullptr;
        }
    }
};

// The running thread state, or nullptr.
inline PyThreadState* current_thread_state() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

// Is it the running thread's? It may be nullptr, and is not that of an interpreter with a GIL of its own that shares objects.
inline bool is_running(PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030C0000 && !defined(Py_GIL_DISABLED)
    // Among those that share a GIL one is active. To ask for it takes a look-up in thread-local storage.
    return ts != nullptr && ts->_status.active;
#else
    return ts == current_thread_state();
#endif
}

// The context of the running greenlet: borrowed, or nullptr.
inline PyObject* running_context(PyThreadState* ts) noexcept { return ts->context; }

// Gives the running greenlet another context. Steals the new one, returns the old one.
inline PyObject* exchange_running_context(PyThreadState* ts, PyObject* context) noexcept {
    PyObject* old = ts->context;
    ts->context = context;
    ts->context_ver++;
    return old;
}

// Makes sure that the running greenlet has a context, which CPython puts off. False with an exception if memory ran out.
bool make_context(PyThreadState* ts) noexcept;
inline bool has_context(PyThreadState* ts) noexcept { return ts->context != nullptr; }
inline bool ensure_context(PyThreadState* ts) noexcept { return has_context(ts) || make_context(ts); }

// At the end of a greenlet: does the thread state hold anything for it, except its context, or deallocations that it put off
// while it was deep?
inline bool has_leftovers(PyThreadState* ts) noexcept {
    return ts->exc_info->exc_value != nullptr || has_postponed_deallocations(ts);
}

// Lets go of that. May run code.
void clear_leftovers(PyThreadState* ts) noexcept;

// The interpreter is being shut down, and running Python code is no longer safe.
inline bool is_finalizing() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

// Learns what is decided when CPython is built. To be called once an interpreter, before any greenlet starts. Sets an
// exception and returns false when the interpreter is not what this was compiled for.
bool prepare() noexcept;

// Does no other thread of the interpreter run Python code while tp_traverse is called? Where there is no GIL, tools like
// gc.get_referents() call it while others run.
#ifdef Py_GIL_DISABLED
inline constexpr bool stops_others_to_traverse = false;
#else
inline constexpr bool stops_others_to_traverse = true;
#endif

// Does this version count how deep deallocations of containers are nested? And how deep are they? For tests.
inline constexpr bool counts_trash_nesting = PY_VERSION_HEX < 0x030D0000;
int trash_nesting(PyThreadState* ts) noexcept;

}  // namespace interpreter
