#include "interpreter/frames/abandon.hpp"

#include <cstring>

#include "interpreter/frames/frame.hpp"
#include "interpreter/frames/value_stack.hpp"

namespace interpreter {

namespace {

// Makes a frame object the owner of its frame, as CPython does when a function returns: only the variables are kept.
void give_to_frame_object(Frame* frame, PyFrameObject* object) noexcept {
    Py_ssize_t variables = code_of(frame)->co_nlocalsplus;
    auto* owned = reinterpret_cast<Frame*>(object->_f_frame_data);
    std::memcpy(owned, frame, reinterpret_cast<char*>(&frame->localsplus[variables]) - reinterpret_cast<char*>(frame));
    owned->owner = FRAME_OWNED_BY_FRAME_OBJECT;
    owned->previous = nullptr;
#if PY_VERSION_HEX >= 0x030E0000
    owned->stackpointer = owned->localsplus + variables;
#else
    owned->stacktop = static_cast<int>(variables);
#endif
    object->f_frame = owned;
    if (!PyObject_GC_IsTracked(reinterpret_cast<PyObject*>(object))) {
        PyObject_GC_Track(object);
    }
}

void clear_values(Frame* frame, Py_ssize_t from, Py_ssize_t to) noexcept {
    for (Py_ssize_t i = from; i < to; ++i) {
        PyObject* object = owned_object(frame->localsplus[i]);
        frame->localsplus[i] = no_value;
        Py_XDECREF(object);
    }
}

// Releases what a frame owns, except its code. `owned`: how many values.
void abandon_frame(Frame* frame, Py_ssize_t owned) noexcept {
    Py_ssize_t variables = code_of(frame)->co_nlocalsplus;
    PyFrameObject* object = frame->frame_obj;
    frame->frame_obj = nullptr;
    if (object != nullptr && Py_REFCNT(object) > 1) {
        Py_XINCREF(owned_code(frame));
        give_to_frame_object(frame, object);
        Py_DECREF(object);
        clear_values(frame, variables, owned);
        return;
    }
    Py_XDECREF(object);
    clear_values(frame, 0, owned);
    Py_CLEAR(frame->f_locals);
    Py_XDECREF(owned_function(frame));
}

// Finishes the generator that a frame belongs to, as if it had returned.
void abandon_generator(Frame* frame) noexcept {
    auto* generator = reinterpret_cast<PyGenObject*>(reinterpret_cast<char*>(frame) - offsetof(PyGenObject, gi_iframe));
    Py_INCREF(generator);
    frame->previous = nullptr;
    generator->gi_frame_state = FRAME_CLEARED;
    Py_CLEAR(generator->gi_exc_state.exc_value);
    abandon_frame(frame, code_of(frame)->co_nlocalsplus);
#if PY_VERSION_HEX < 0x030C0000
    Py_XDECREF(owned_code(frame));  // the generator has a reference of its own
#endif
    Py_DECREF(generator);
}

// Frees the chunks that CPython added on top of the first one.
void free_added_chunks(State& state) noexcept {
    PyObjectArenaAllocator allocator;
    PyObject_GetArenaAllocator(&allocator);
    while (state.datastack_chunk->previous != nullptr) {
        _PyStackChunk* chunk = state.datastack_chunk;
        state.datastack_chunk = chunk->previous;
        allocator.free(allocator.ctx, chunk, chunk->size);
    }
}

}  // namespace

void leave_thread_state([[maybe_unused]] State& state, [[maybe_unused]] const PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030F0000
    Frame** last = &state.calls.frame;
    while (!state.ends_before(*last) && *last != ts->base_frame) {
        last = &(*last)->previous;
    }
    if (*last != nullptr && *last == ts->base_frame) {
        *last = nullptr;
    }
#endif
    state.end_link();
}

void abandon_frames(State& state, const CallInProgress& call) noexcept {
    Py_CLEAR(state.context);
    Py_CLEAR(state.exception_base.exc_value);
    const Frame* callee = nullptr;
    for (Frame *frame = state.calls.innermost_frame(), *previous; !state.ends_before(frame); frame = previous) {
        previous = frame->previous;
        if (is_on_data_stack(frame)) {
            Py_ssize_t owned = owned_values(frame, callee, call);
            if (owned >= 0) {
                abandon_frame(frame, owned);
                Py_XDECREF(owned_code(frame));
            }
        }
        callee = frame;
        if (frame->owner == FRAME_OWNED_BY_GENERATOR) {
            abandon_generator(frame);
            callee = nullptr;  // it may be freed
        }
    }
    free_added_chunks(state);
#if PY_VERSION_HEX >= 0x030D0000
    state.c_stack.abandon();
#endif
}

}  // namespace interpreter
