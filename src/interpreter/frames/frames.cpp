#include "interpreter/frames/frames.hpp"

#include "interpreter/allocation.hpp"
#include "interpreter/frames/given_up.hpp"
#include "interpreter/pending_exception.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <internal/pycore_frame.h>
#include <opcode.h>
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030F0000
#include <internal/pycore_gc.h>
#endif
#pragma GCC diagnostic pop

#include <algorithm>
#include <cstring>
#include <utility>

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
// The object that the value is, owned or borrowed, or nullptr.
PyObject* object_of(Value value) noexcept {
    return (value.bits & 2) == 0 ? reinterpret_cast<PyObject*>(value.bits & ~std::uintptr_t{1}) : nullptr;
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

// Does a frame wait for a C function? (If not, it called a Python function that the same evaluation loop runs.) `callee`
// is the frame before it in the walk from the innermost one outwards, or nullptr.
bool waits_for_c(const Frame* callee) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    return callee == nullptr || callee->owner > FRAME_OWNED_BY_FRAME_OBJECT;
#else
    return callee == nullptr || callee->is_entry;
#endif
}

#if PY_VERSION_HEX < 0x030E0000

_Py_CODEUNIT current_instruction(const Frame* frame) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return *frame->instr_ptr;
#else
    return *frame->prev_instr;
#endif
}

// If the arguments of the call in progress are on the stack of values of the innermost frame: how many values from
// localsplus[0] on are in use; else -1. There may be other C functions between the frame and the switch, that pass on the
// same arguments. One that puts another value in place of its first one (a bound method does) adds an argument, and
// then the instruction in progress does not agree about their number.
Py_ssize_t values_below_call(const Frame* frame, const CallInProgress& call) noexcept {
    PyCodeObject* code = code_of(frame);
    PyObject* const* bottom = frame->localsplus + code->co_nlocalsplus;
    PyObject* const* end = call.arguments + call.count;
    bool on_stack = call.arguments > bottom && end <= bottom + code->co_stacksize;
    return on_stack && _Py_OPARG(current_instruction(frame)) == call.count ? end - frame->localsplus : -1;
}

#endif

#if PY_VERSION_HEX >= 0x030E0000

// How many values there are from localsplus[0] on: variables, then those on the stack. None if the frame is being cleared.
Py_ssize_t all_values(const Frame* frame) noexcept {
    Py_ssize_t all = frame->stackpointer - frame->localsplus;
    return all >= 0 && all <= code_of(frame)->co_nlocalsplus + code_of(frame)->co_stacksize ? all : 0;
}

// Where the callable of the call in progress is on the stack of values; nullptr if there is none, or if the instruction lets go of
// arguments before it takes them off the stack.
const Value* place_of_callable(const Frame* frame) noexcept {
    const _Py_CODEUNIT* instruction = frame->instr_ptr;
    const Value* arguments = frame->stackpointer - instruction->op.arg;
    if ((instruction - 1)->op.code == EXTENDED_ARG) {
        return nullptr;  // there are more than it says itself
    }
    switch (instruction->op.code) {
#if PY_VERSION_HEX >= 0x030F0000
        case CALL_BUILTIN_O:
        case CALL_METHOD_DESCRIPTOR_NOARGS:
#endif
        case CALL:
        case CALL_NON_PY_GENERAL:
        case CALL_BUILTIN_FAST:
        case CALL_BUILTIN_FAST_WITH_KEYWORDS:
        case CALL_METHOD_DESCRIPTOR_FAST:
        case CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS:
        case CALL_METHOD_DESCRIPTOR_O:
        case INSTRUMENTED_CALL:
            return arguments - 2;
        case CALL_KW:
        case CALL_KW_NON_PY:
        case INSTRUMENTED_CALL_KW:
            return arguments - 3;  // names are after the arguments
#if PY_VERSION_HEX >= 0x030F0000
        case CALL_EX_NON_PY_GENERAL:
#endif
        case CALL_FUNCTION_EX:
        case INSTRUMENTED_CALL_FUNCTION_EX:
            return frame->stackpointer - 4;
        default:
            return nullptr;
    }
}

// Does a frame wait for the next value of an iterator?
bool is_iterating(const Frame* frame) noexcept {
    return frame->instr_ptr->op.code == FOR_ITER || frame->instr_ptr->op.code == INSTRUMENTED_FOR_ITER;
}

// Does the innermost frame call a function or method in C? Other calls, of Python functions with arguments that they do not take for
// one, let go of values before they take them off the stack; and since 3.15 any does so with its callable, at its end. If the values of
// the call are off the stack already, any other value may be in that place, and nothing is wrong with those that are left.
bool calls_c(const Frame* frame) noexcept {
    const Value* place = place_of_callable(frame);
    bool is_on_stack = place != nullptr && place >= frame->localsplus + code_of(frame)->co_nlocalsplus;
    PyObject* callable = is_on_stack ? object_of(*place) : nullptr;
    return callable != nullptr && (PyCFunction_CheckExact(callable) || Py_IS_TYPE(callable, &PyMethodDescr_Type)) &&
           Py_REFCNT(callable) > 0;
}

// How many of the values from localsplus[0] on are surely in use and owned by a suspended frame.
//
// The frame says how many there are, but several instructions give values away, or let go of them, before they take them off the stack,
// and what a destructor does meanwhile may be to switch.
Py_ssize_t values_in_use(const Frame* frame, const Frame* callee, const CallInProgress&) noexcept {
    bool all_are_owned = !waits_for_c(callee) || is_iterating(frame) || (callee == nullptr && calls_c(frame));
    Py_ssize_t all = all_values(frame);
    return all_are_owned ? all : std::min<Py_ssize_t>(all, code_of(frame)->co_nlocalsplus);
}

#else

// How many of the values from localsplus[0] on are surely in use and owned by a suspended frame. -1: do not touch it.
Py_ssize_t values_in_use(const Frame* frame, const Frame* callee, const CallInProgress& call) noexcept {
    Py_ssize_t variables = code_of(frame)->co_nlocalsplus;
    if (!waits_for_c(callee)) {
        return frame->stacktop >= variables ? frame->stacktop : variables;
    }
#if PY_VERSION_HEX < 0x030C0000
    // 3.11 clears a frame that returned before it unlinks it. Only then does one that waits for C know its stack top.
    if (frame->stacktop >= 0) {
        return -1;
    }
#endif
    return std::max(variables, callee == nullptr ? values_below_call(frame, call) : -1);
}

#endif

#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000

// To functions, code, classes and modules a frame has "deferred" references: not counted, so that threads need not write to
// what they all use. The garbage collector looks for them where it knows that frames are, and frees what has no others. It
// wants them visited, but not when it compares counts; which visit that is only CPython knows.
int visit_deferred(Value value, visitproc visit, void* arg) noexcept {
    if ((value.bits & 3) != 1 || value.bits == no_value.bits) {
        return 0;  // counted, no object, or nothing
    }
#if PY_VERSION_HEX >= 0x030F0000
    return _PyGC_VisitStackRef(&value, visit, arg);
#else
    // The function for that can't be called on 3.14, but by way of a frame object.
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

// Those of C functions in progress.
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

int visit_frame(const Frame* frame, Py_ssize_t in_use, visitproc visit, void* arg) noexcept {
    Py_VISIT(frame->frame_obj);
    Py_VISIT(frame->f_locals);
    Py_VISIT(owned_function(frame));
    Py_VISIT(owned_code(frame));
    for (Py_ssize_t i = 0; i < in_use; ++i) {
        Py_VISIT(owned_object(frame->localsplus[i]));
    }
    return visit_deferred_of(frame, visit, arg);
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

// Lets go of what a frame owns, except its code.
void abandon_frame(Frame* frame, Py_ssize_t in_use) noexcept {
    Py_ssize_t variables = code_of(frame)->co_nlocalsplus;
    PyFrameObject* object = frame->frame_obj;
    frame->frame_obj = nullptr;
    if (object != nullptr && Py_REFCNT(object) > 1) {
        Py_XINCREF(owned_code(frame));
        give_to_frame_object(frame, object);
        Py_DECREF(object);
        clear_values(frame, variables, in_use);
        return;
    }
    Py_XDECREF(object);
    clear_values(frame, 0, in_use);
    Py_CLEAR(frame->f_locals);
    Py_XDECREF(owned_function(frame));
}

// A generator that runs in a greenlet that never will again: as if it had returned.
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

namespace {

#if PY_VERSION_HEX < 0x030C0000

// Up to 3.11 the allocation of a frame object may make the garbage collector run, and a destructor resume the very greenlet
// whose frame the object is made for. So the collector is paused, and all outer frames get their objects now: `f_back` finds those
// and makes none.
PyFrameObject* make_frame_objects(PyThreadState* ts) noexcept {
    PyFrameObject* innermost = PyThreadState_GetFrame(ts);
    for (PyFrameObject* frame = reinterpret_cast<PyFrameObject*>(Py_XNewRef(innermost)); frame != nullptr;) {
        PyFrameObject* back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    return innermost;
}

#else

// The collector runs between two instructions of Python code only.
PyFrameObject* make_frame_objects(PyThreadState* ts) noexcept { return PyThreadState_GetFrame(ts); }

#endif

}  // namespace

PyObject* take_caller_s_argument(PyThreadState* ts, PyObject* const* args, PyCFunction called) noexcept {
    auto is_called = [called](PyObject* object) { return object != nullptr && PyCFunction_CheckExact(object) &&
                                                         PyCFunction_GET_FUNCTION(object) == called; };
    const Frame* frame = Calls::running_frame(ts);
    if (frame == nullptr || frame->owner > FRAME_OWNED_BY_GENERATOR) {
        return Py_NewRef(args[0]);
    }
#if PY_VERSION_HEX >= 0x030E0000
    const Value* bottom = frame->localsplus + code_of(frame)->co_nlocalsplus;
    const Value* callable = frame->stackpointer - 3;  // then `self` or nothing, and the argument
    bool is_it = frame->instr_ptr->op.arg == 1 && callable >= bottom && callable == place_of_callable(frame) &&
                 is_called(object_of(callable[0])) && object_of(callable[2]) == args[0];
    if (!is_it) {
        return Py_NewRef(args[0]);
    }
    auto* place = const_cast<Value*>(callable + 2);
    PyObject* owned = owned_object(*place);
    *place = Value{reinterpret_cast<std::uintptr_t>(Py_None) | 1};
    return owned != nullptr ? owned : Py_NewRef(args[0]);
#else
    PyObject* const* bottom = frame->localsplus + code_of(frame)->co_nlocalsplus;
    bool is_it = args >= bottom + 2 && args < bottom + code_of(frame)->co_stacksize &&
                 _Py_OPARG(current_instruction(frame)) == 1 && (is_called(args[-1]) || is_called(args[-2]));
    if (!is_it) {
        return Py_NewRef(args[0]);
    }
    return std::exchange(const_cast<PyObject**>(args)[0], Py_NewRef(Py_None));
#endif
}

PyFrameObject* innermost_frame_object(PyThreadState* ts, const State& state) noexcept {
    CollectorPaused paused;
    return Calls::with_innermost_frame(ts, state.calls.innermost_frame(), [ts] { return make_frame_objects(ts); });
}

namespace {

// Beyond the link are frames of others.
bool is_end(const State& state, const Frame* frame) noexcept {
    return frame == nullptr || (state.has_link() && frame == state.link->frame());
}

}  // namespace

int visit_frames(const State& state, const CallInProgress& call, visitproc visit, void* arg) noexcept {
    Py_VISIT(state.context);
    Py_VISIT(state.exception_base.exc_value);
    const Frame* callee = nullptr;
    for (const Frame* frame = state.calls.innermost_frame(); !is_end(state, frame); frame = frame->previous) {
        Py_ssize_t in_use = is_on_data_stack(frame) ? values_in_use(frame, callee, call) : -1;
        if (in_use >= 0) {
            if (int result = visit_frame(frame, in_use, visit, arg)) {
                return result;
            }
        }
        callee = frame;
    }
    return visit_deferred_of_c(state, visit, arg);
}

int visit_uncounted(const State& state, visitproc visit, void* arg) noexcept {
    for (const Frame* frame = state.calls.innermost_frame(); !is_end(state, frame); frame = frame->previous) {
        int stopped = is_on_data_stack(frame) ? visit_deferred_of(frame, visit, arg) : 0;
        if (stopped != 0) {
            return stopped;
        }
    }
    return visit_deferred_of_c(state, visit, arg);
}

bool looks_at_its_caller(PyObject* callable) noexcept {
    PyObject* called = Py_NewRef(callable);
    while (std::strcmp(Py_TYPE(called)->tp_name, "functools.partial") == 0) {
        PyObject* function = PyObject_GetAttrString(called, "func");
        if (function == nullptr) {
            PyErr_Clear();
            break;
        }
        Py_SETREF(called, function);
    }
    bool looks = false;
    if (PyCFunction_CheckExact(called)) {
        PyObject* module = reinterpret_cast<PyCFunctionObject*>(called)->m_module;
        looks = module != nullptr && PyUnicode_Check(module) &&
                (PyUnicode_CompareWithASCIIString(module, "sys") == 0 || PyUnicode_CompareWithASCIIString(module, "builtins") == 0);
    }
    Py_DECREF(called);
    return looks;
}

void unlink_traceback([[maybe_unused]] PyThreadState* ts, [[maybe_unused]] const State& state) noexcept {
#if PY_VERSION_HEX >= 0x030C0000 && !defined(Py_GIL_DISABLED)  // without a GIL another thread may be asking for its f_back
    auto* exception = reinterpret_cast<PyBaseExceptionObject*>(ts->current_exception);
    if (exception == nullptr || exception->traceback == nullptr || !PyTraceBack_Check(exception->traceback)) {
        return;
    }
    PyFrameObject* outermost = reinterpret_cast<PyTracebackObject*>(exception->traceback)->tb_frame;
    if (outermost->f_back == nullptr) {
        return;
    }
    PyFrameObject* resumer = Calls::with_innermost_frame(ts, state.link->resumer(), [ts] { return PyThreadState_GetFrame(ts); });
    if (outermost->f_back == resumer) {
        Py_CLEAR(outermost->f_back);
    }
    Py_XDECREF(resumer);
#endif
}

void leave_thread_state([[maybe_unused]] State& state, [[maybe_unused]] const PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030F0000
    Frame** last = &state.calls.frame;
    while (!is_end(state, *last) && *last != ts->base_frame) {
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
    for (Frame *frame = state.calls.innermost_frame(), *previous; !is_end(state, frame); frame = previous) {
        previous = frame->previous;
        if (is_on_data_stack(frame)) {
            Py_ssize_t in_use = values_in_use(frame, callee, call);
            if (in_use >= 0) {
                abandon_frame(frame, in_use);
                Py_XDECREF(owned_code(frame));
            }
        }
        callee = frame;
        if (frame->owner == FRAME_OWNED_BY_GENERATOR) {
            abandon_generator(frame);
            callee = nullptr;  // it may be gone
        }
    }
    free_added_chunks(state);
#if PY_VERSION_HEX >= 0x030D0000
    state.c_stack.abandon();
#endif
}

#if (defined(Py_DEBUG) && PY_VERSION_HEX >= 0x030D0000) || PY_VERSION_HEX >= 0x030F0000

namespace {

// Changes whenever events do.
std::uintptr_t events_version(PyThreadState* ts) noexcept {
    constexpr std::uintptr_t flags = 0xff;
    return ts->eval_breaker & ~flags;
}

void adapt_all_frames(PyObject* restart_events) noexcept {
    if (restart_events == Py_None) {
        return;
    }
    PendingException in_flight;
    Py_XDECREF(PyObject_CallNoArgs(restart_events));
    PyErr_Clear();
}

template <class Predicate>
bool any_code(PyThreadState* ts, Predicate predicate) noexcept {
    for (const Frame* frame = ts->current_frame; frame != nullptr; frame = frame->previous) {
        if (frame->owner <= FRAME_OWNED_BY_FRAME_OBJECT && predicate(code_of(frame))) {
            return true;
        }
    }
    return false;
}

}  // namespace

PyObject* find_restart_events() noexcept {
    PyObject* sys = PyImport_ImportModule("sys");
    PyObject* monitoring = sys != nullptr ? PyObject_GetAttrString(sys, "monitoring") : nullptr;
    PyObject* found = monitoring != nullptr ? PyObject_GetAttrString(monitoring, "restart_events") : nullptr;
    Py_XDECREF(monitoring);
    Py_XDECREF(sys);
    if (found == nullptr && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return Py_NewRef(Py_None);
    }
    return found;
}

#ifdef Py_DEBUG
void adapt_frames(PyThreadState* ts, State&, PyObject* restart_events) noexcept {
    std::uintptr_t version = events_version(ts);
    if (any_code(ts, [version](const PyCodeObject* code) { return code->_co_instrumentation_version != version; })) {
        adapt_all_frames(restart_events);
    }
}
#else
void adapt_unprepared_frames(PyThreadState* ts, State& state, PyObject* restart_events) noexcept {
    std::uintptr_t version = events_version(ts);
    bool is_known = state.events_version == version;
    state.events_version = ts->tracing > 0 ? 0 : version;  // what is called while a callback runs is not adapted: look again
    if (!is_known && any_code(ts, [](const PyCodeObject* code) { return code->_co_monitoring == nullptr; })) {
        adapt_all_frames(restart_events);
    }
}
#endif

#endif

}  // namespace interpreter
