// CPython 3.11 to 3.15: the part of a thread state that belongs to a greenlet, and how a switch saves and loads it.
//
// A PyThreadState describes a thread: which frame runs, how deep the calls are nested, which exception is being
// handled, where the next frame goes. Each of several greenlets on a thread has its own answers. A switch saves the
// answers of the greenlet that suspends and loads those of the one that resumes, with plain stores. Nothing is copied
// or rewritten, because the memory that the fields point to stays where it is while a greenlet is suspended.
//
// These stay with the thread: its identity, trace and profile functions, the exception in flight (which crosses a
// switch on purpose: that is how throw() works), the asyncio loop, the freed chunk kept for reuse.
//
// The part that differs most between versions is in versions/calls.hpp.

#pragma once

#include <cstdint>
#include <new>

#include "interpreter/frames/call_in_progress.hpp"
#include "interpreter/frames/link.hpp"
#include "interpreter/versions/calls.hpp"
#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// What a switch uses comes first. Up to 3.13 that fills one cache line.
struct State {
    Calls calls;
    _PyErr_StackItem* exc_info;      // innermost `except` block; may point into a generator
    PyObject* context;               // owned contextvars.Context; nullptr until one is needed
    _PyStackChunk* datastack_chunk;  // where Python frames are pushed, growing up
    PyObject** datastack_top;
    [[no_unique_address]] SavedCall call;  // that suspended the greenlet
    bool awaits;                           // the client's: its greenlet waits for another one's value
    bool has_occasional;                   // some of the C stack's occasional fields are set
    std::uint16_t suspensions;             // the client's: counts them, for those who look from outside
    std::uint32_t datastack_size;          // of the chunk, in units of 16 bytes
    CStack c_stack;
    _PyErr_StackItem exception_base;  // the outermost `except` block of a greenlet with a stack of its own
#if PY_VERSION_HEX >= 0x030F0000
    std::uintptr_t events_version;  // of the events that its frames were last adapted to (frames/monitoring.hpp)
#endif
    Link* link;  // to the frames of the greenlet it runs as part of; nullptr if it never does

    // A switch: saves the fields of the thread state in `from`, and loads them from `to`.
    static void exchange(PyThreadState* ts, State& from, State& to) noexcept {
        from.calls.save(ts);
        from.exc_info = ts->exc_info;
        from.context = ts->context;
        from.datastack_chunk = ts->datastack_chunk;
        from.datastack_top = ts->datastack_top;
        from.datastack_size = static_cast<std::uint32_t>(
            (address(ts->datastack_limit) - address(ts->datastack_chunk)) >> datastack_unit);
        if (from.c_stack.save(ts)) [[unlikely]] {
            from.has_occasional = true;
        }
        // For those who look from outside: the data stack changes when the state is saved, not before. On 3.11 the
        // compiler keeps this order by itself, and would need one instruction more.
#if PY_VERSION_HEX >= 0x030C0000
        asm("" : "+m"(ts->datastack_chunk) : "m"(from.calls), "m"(from.datastack_chunk));
#endif
        to.load(ts, from.context);
    }

    // The last switch of a greenlet: `from` is not needed any more, but what is on its C stack leaves the thread state.
    static void leave(PyThreadState* ts, State& from, State& to) noexcept {
        from.c_stack.save(ts);
        to.load(ts, ts->context);
    }

    // The data stack: its innermost chunk, and where the unused part of that begins and ends. A thread state that is
    // about to be freed gets back the one of the main greenlet, because CPython has to free it.
    void load_data_stack(PyThreadState* ts) const noexcept {
        ts->datastack_chunk = datastack_chunk;
        ts->datastack_top = datastack_top;
        ts->datastack_limit = reinterpret_cast<PyObject**>(address(datastack_chunk) +
                                                           (std::uintptr_t{datastack_size} << datastack_unit));
    }

    StackLimit stack_limit() const noexcept { return StackLimit::of(calls, c_stack); }

    // While suspended: where the unused part of the first chunk begins. That is its end if later chunks are in use.
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

    // Sets what a greenlet begins with. Its C stack is [low, base), and [chunk, chunk_end) takes its first frames.
    void begin(PyThreadState* ts, const std::byte* low, const std::byte* base, std::byte* chunk, std::byte* chunk_end,
               PyObject* first_context) noexcept {
        begin_calls(ts, calls, c_stack, low, base);
        exception_base = {};
        exc_info = &exception_base;
        context = first_context;
        // CPython frees a chunk when it pops the frame at &data[0]. This chunk is not CPython's to free, so the first
        // frame goes to &data[1].
        datastack_chunk = reinterpret_cast<_PyStackChunk*>(chunk);
        datastack_chunk->previous = nullptr;
        datastack_chunk->size = static_cast<std::size_t>(chunk_end - chunk);
        datastack_chunk->top = 0;
        datastack_top = &datastack_chunk->data[1];
        datastack_size = static_cast<std::uint32_t>(datastack_chunk->size >> datastack_unit);
#if PY_VERSION_HEX >= 0x030F0000
        events_version = 0;
#endif
    }

    // For a greenlet that begins: counts its calls on top of those of the running one, and makes a link outside its
    // frames, at `place`.
    void nest(PyThreadState* ts, [[maybe_unused]] std::byte* place, [[maybe_unused]] const LinkLooks& looks) noexcept {
        calls.depth = Calls::depth_of(ts);
        if constexpr (links_frames) {
            link = new (place) Link(looks, calls.innermost_frame());
        }
    }

    bool has_link() const noexcept { return links_frames && link != nullptr; }

    // True if the greenlet's frames, walked from the innermost one outwards, end before this one. Beyond a link are
    // another greenlet's.
    bool ends_before(const _PyInterpreterFrame* frame) const noexcept {
        return frame == nullptr || (has_link() && frame == link->frame());
    }

    // For the running greenlet, which has a link: the next frame that is pushed leads to the link.
    void begin_at_link(PyThreadState* ts) noexcept { Calls::set_running_frame(ts, link->frame()); }

    // Undoes begin_at_link(), when the function that was called has returned.
    void end_at_link(PyThreadState* ts) noexcept { Calls::set_running_frame(ts, link->end()); }

    // For a suspended greenlet that is about to run as part of the running one, which waits for it. The suspended one
    // then sees the running one's frames and handled exception, and shares its context unless it has one of its own.
    void nest_in(PyThreadState* ts) noexcept {
        exception_base.previous_item = ts->exc_info;
        link->lead_to(Calls::running_frame(ts));
        if (context == nullptr) {
            context = Py_XNewRef(ts->context);
        }
    }

    // The thread state is about to be freed.
    void end_link() noexcept {
        if (has_link()) {
            link->leave_thread_state();
        }
    }

    // Undoes nest_in() for a suspended greenlet.
    void unnest() noexcept {
        exception_base.previous_item = nullptr;
        link->cut();
    }

    // Undoes nest_in() for the running greenlet, which runs as part of `other`.
    void unnest(PyThreadState* ts, const State& other) noexcept {
        unnest();
        if (ts->context == other.context) {
            Py_XDECREF(ts->context);
            ts->context = nullptr;
        }
    }

private:
    // `running`: the thread state's context.
    void load(PyThreadState* ts, const PyObject* running) noexcept {
        if (has_occasional) [[unlikely]] {
            has_occasional = false;
            c_stack.load_occasional(ts);
        }
        calls.load(ts);
        ts->exc_info = exc_info;
        if (running != context) {
            ts->context = context;
            ts->context_ver++;  // context variables cache their value against this
        }
        load_data_stack(ts);
        c_stack.load(ts);
    }

    static constexpr int datastack_unit = 4;  // as a power of two

    static std::uintptr_t address(const void* pointer) noexcept { return reinterpret_cast<std::uintptr_t>(pointer); }
};

// True if at the end of a greenlet the thread state holds anything for it, except its context: a handled exception, or
// deallocations that were postponed while it was deep.
inline bool has_leftovers(PyThreadState* ts) noexcept {
    return ts->exc_info->exc_value != nullptr || has_postponed_deallocations(ts);
}

// Releases these. May run code.
inline void clear_leftovers(PyThreadState* ts) noexcept {
    Py_CLEAR(ts->exc_info->exc_value);
    do_postponed_deallocations(ts);
    assert(ts->datastack_chunk->previous == nullptr);
}

}  // namespace interpreter
