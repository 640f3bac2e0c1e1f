#include "interpreter/frames/visit.hpp"

#include "interpreter/frames/frame.hpp"
#include "interpreter/frames/prefetch.hpp"
#include "interpreter/frames/value_stack.hpp"

#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030F0000
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <internal/pycore_gc.h>
#pragma GCC diagnostic pop
#endif

namespace interpreter {

namespace {

#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000

// A frame's references to functions, code, classes and modules are "deferred": they are not counted, so that threads
// need not write to objects that all of them use. The garbage collector looks for them in the frames it knows of, and
// frees an object that has no other references. It wants them visited, except while it compares counts. Only CPython
// knows which visit that is.
int visit_deferred(Value value, visitproc visit, void* arg) noexcept {
    if ((value.bits & 3) != 1 || value.bits == no_value.bits) {
        return 0;  // counted, no object, or nothing
    }
#if PY_VERSION_HEX >= 0x030F0000
    return _PyGC_VisitStackRef(&value, visit, arg);
#else
    // CPython 3.14 does not export its function for this, but traversing a frame object calls it.
    Frame frame{};
    frame.owner = FRAME_OWNED_BY_FRAME_OBJECT;
    frame.f_funcobj = value;
    frame.f_executable = no_value;
    frame.stackpointer = frame.localsplus;
    PyFrameObject object{};
    reinterpret_cast<PyObject*>(&object)->ob_type = &PyFrame_Type;
    object.f_frame = &frame;
    return PyFrame_Type.tp_traverse(reinterpret_cast<PyObject*>(&object), visit, arg);
#endif
}

int visit_deferred_of(const Frame* frame, visitproc visit, void* arg) noexcept {
    Py_ssize_t all = all_values(frame);
    int stopped = visit_deferred(frame->f_funcobj, visit, arg);
    if (stopped == 0) {
        stopped = visit_deferred(frame->f_executable, visit, arg);
    }
    for (Py_ssize_t i = 0; stopped == 0 && i < all; ++i) {
        stopped = visit_deferred(frame->localsplus[i], visit, arg);
    }
    return stopped;
}

// Visits the deferred references that the C functions in progress hold.
int visit_deferred_of_c(const State& state, visitproc visit, void* arg) noexcept {
    int stopped = 0;
    for (const _PyCStackRef* each = state.c_stack.refs; stopped == 0 && each != nullptr; each = each->next) {
        stopped = visit_deferred(each->ref, visit, arg);
    }
    return stopped;
}

#else

int visit_deferred_of(const Frame*, visitproc, void*) noexcept { return 0; }
int visit_deferred_of_c(const State&, visitproc, void*) noexcept { return 0; }

#endif

// True if an object is never freed, so that the collector does not count references to it.
bool is_immortal([[maybe_unused]] PyObject* object) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    return _Py_IsImmortal(object);
#else
    return false;
#endif
}

// Leaves out what the collector does not count: immortal objects and, with a GIL, code. Most of the time goes into the
// calls of `visit`.
int visit_frame(const Frame* frame, Py_ssize_t owned, visitproc visit, void* arg) noexcept {
    Py_VISIT(frame->frame_obj);
    Py_VISIT(frame->f_locals);
    Py_VISIT(owned_function(frame));
#ifdef Py_GIL_DISABLED
    Py_VISIT(owned_code(frame));
#endif
    for (const Value *value = frame->localsplus, *end = value + owned; value != end; ++value) {
        PyObject* object = owned_object(*value);
        if (object != nullptr && !is_immortal(object)) {
            if (int stopped = visit(object, arg)) {
                return stopped;
            }
        }
    }
    return visit_deferred_of(frame, visit, arg);
}

}  // namespace

int visit_frames(const State& state, const CallInProgress& call, visitproc visit, void* arg) noexcept {
    Py_VISIT(state.context);
    Py_VISIT(state.exception_base.exc_value);
    Prefetch prefetch(state);
    const Frame* callee = nullptr;
    for (const Frame* frame = state.calls.innermost_frame(); !state.ends_before(frame); frame = frame->previous) {
        prefetch.reach(frame);
        Py_ssize_t owned = is_on_data_stack(frame) ? owned_values(frame, callee, call) : -1;
        if (owned >= 0) {
            if (int stopped = visit_frame(frame, owned, visit, arg)) {
                return stopped;
            }
        }
        callee = frame;
    }
    return visit_deferred_of_c(state, visit, arg);
}

int visit_uncounted(const State& state, visitproc visit, void* arg) noexcept {
    for (const Frame* frame = state.calls.innermost_frame(); !state.ends_before(frame); frame = frame->previous) {
        int stopped = is_on_data_stack(frame) ? visit_deferred_of(frame, visit, arg) : 0;
        if (stopped != 0) {
            return stopped;
        }
    }
    return visit_deferred_of_c(state, visit, arg);
}

}  // namespace interpreter
