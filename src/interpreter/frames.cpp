#include "interpreter/frames.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <internal/pycore_frame.h>
#pragma GCC diagnostic pop

#include <cstring>

namespace interpreter {

namespace {

using Frame = _PyInterpreterFrame;

// A variable or value of a frame: from 3.14 on a tagged pointer.
#if PY_VERSION_HEX >= 0x030E0000
using Value = _PyStackRef;
constexpr Value no_value = {1};

// The object that the value owns a reference to, or nullptr: the two lowest bits mark what is borrowed or no object.
PyObject* owned_object(Value value) noexcept {
    return (value.bits & 3) == 0 ? reinterpret_cast<PyObject*>(value.bits) : nullptr;
}
PyCodeObject* code_of(const Frame* frame) noexcept {
    return reinterpret_cast<PyCodeObject*>(frame->f_executable.bits & ~std::uintptr_t{3});
}
PyObject* owned_code(const Frame* frame) noexcept { return owned_object(frame->f_executable); }
PyObject* owned_function(const Frame* frame) noexcept { return owned_object(frame->f_funcobj); }
#else
using Value = PyObject*;
constexpr Value no_value = nullptr;

PyObject* owned_object(Value value) noexcept { return value; }
#if PY_VERSION_HEX >= 0x030D0000
PyCodeObject* code_of(const Frame* frame) noexcept { return reinterpret_cast<PyCodeObject*>(frame->f_executable); }
#else
PyCodeObject* code_of(const Frame* frame) noexcept { return frame->f_code; }
#endif
PyObject* owned_code(const Frame* frame) noexcept { return reinterpret_cast<PyObject*>(code_of(frame)); }
#if PY_VERSION_HEX >= 0x030C0000
PyObject* owned_function(const Frame* frame) noexcept { return frame->f_funcobj; }
#else
PyObject* owned_function(const Frame* frame) noexcept { return reinterpret_cast<PyObject*>(frame->f_func); }
#endif
#endif

// Is it a frame of a Python function, on the data stack? Generators have their frames in themselves, and visit them; the
// interpreter has some that belong to no function.
bool is_on_data_stack(const Frame* frame) noexcept { return frame->owner == FRAME_OWNED_BY_THREAD; }

#if PY_VERSION_HEX < 0x030E0000

// Does a frame wait for a C function? (If not, it called a Python function that the same evaluation loop runs.) `callee`
// is the frame before it in the walk from the innermost one outwards, or nullptr.
bool waits_for_c(const Frame* callee) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    return callee == nullptr || callee->owner > FRAME_OWNED_BY_FRAME_OBJECT;
#else
    return callee == nullptr || callee->is_entry;
#endif
}

#endif

// How many of the values from localsplus[0] on are surely in use and owned by a suspended frame. -1: do not touch it.
Py_ssize_t values_in_use(const Frame* frame, const Frame* callee) noexcept {
    Py_ssize_t variables = code_of(frame)->co_nlocalsplus;
#if PY_VERSION_HEX >= 0x030E0000
    (void)callee;
    Py_ssize_t all = frame->stackpointer - frame->localsplus;
    return all >= variables && all <= variables + code_of(frame)->co_stacksize ? all : variables;
#else
    if (!waits_for_c(callee)) {
        return frame->stacktop >= variables ? frame->stacktop : variables;
    }
#if PY_VERSION_HEX < 0x030C0000
    // 3.11 clears a frame that returned before it unlinks it. Only then does one that waits for C know its stack top.
    if (frame->stacktop >= 0) {
        return -1;
    }
#endif
    return variables;
#endif
}

int visit_frame(const Frame* frame, const Frame* callee, visitproc visit, void* arg) noexcept {
    Py_ssize_t in_use = values_in_use(frame, callee);
    if (in_use < 0) {
        return 0;
    }
    Py_VISIT(frame->frame_obj);
    Py_VISIT(frame->f_locals);
    Py_VISIT(owned_function(frame));
    Py_VISIT(owned_code(frame));
    for (Py_ssize_t i = 0; i < in_use; ++i) {
        Py_VISIT(owned_object(frame->localsplus[i]));
    }
    return 0;
}

// Makes a frame object the owner of its frame, variables only, as CPython does when a function returns.
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
    owned->frame_obj = object;
    object->f_frame = owned;
    if (!PyObject_GC_IsTracked(reinterpret_cast<PyObject*>(object))) {
        PyObject_GC_Track(object);
    }
}

void clear_variables(Frame* frame) noexcept {
    Py_ssize_t variables = code_of(frame)->co_nlocalsplus;
    for (Py_ssize_t i = 0; i < variables; ++i) {
        PyObject* object = owned_object(frame->localsplus[i]);
        frame->localsplus[i] = no_value;
        Py_XDECREF(object);
    }
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

PyFrameObject* innermost_frame_object(PyThreadState* ts, const State& state) noexcept {
    return Calls::with_innermost_frame(ts, state.calls.innermost_frame(), [ts] { return PyThreadState_GetFrame(ts); });
}

int visit_frames(const State& state, visitproc visit, void* arg) noexcept {
    Py_VISIT(state.context);
    Py_VISIT(state.exception_base.exc_value);
    const Frame* callee = nullptr;
    for (const Frame* frame = state.calls.innermost_frame(); frame != nullptr; frame = frame->previous) {
        if (is_on_data_stack(frame)) {
            if (int result = visit_frame(frame, callee, visit, arg)) {
                return result;
            }
        }
        callee = frame;
    }
    return 0;
}

void abandon_frames(State& state) noexcept {
    // Whatever runs because of this finds no frames any more.
    Frame* innermost = state.calls.innermost_frame();
    Py_CLEAR(state.context);
    Py_CLEAR(state.exception_base.exc_value);
    const Frame* callee = nullptr;
    for (Frame *frame = innermost, *previous; frame != nullptr; frame = previous) {
        previous = frame->previous;
        bool on_data_stack = is_on_data_stack(frame);
        Py_ssize_t in_use = on_data_stack ? values_in_use(frame, callee) : -1;
        callee = frame;
        if (frame->owner == FRAME_OWNED_BY_GENERATOR) {
            frame->previous = nullptr;  // the generator outlives the stack
        }
        if (in_use < 0) {
            continue;
        }
        PyFrameObject* object = frame->frame_obj;
        if (object != nullptr && Py_REFCNT(object) > 1) {
            frame->frame_obj = nullptr;
            give_to_frame_object(frame, object);
            Py_DECREF(object);
            continue;
        }
        PyObject* function = owned_function(frame);
        clear_variables(frame);
        Py_CLEAR(frame->f_locals);
        Py_CLEAR(frame->frame_obj);
        Py_XDECREF(function);
        Py_XDECREF(owned_code(frame));
    }
    free_added_chunks(state);
}

}  // namespace interpreter
