#include "interpreter/frames/frame_object.hpp"

#include <frameobject.h>

#include "interpreter/collector.hpp"
#include "interpreter/frames/prefetch.hpp"

namespace interpreter {

namespace {

#if PY_VERSION_HEX < 0x030C0000

// Up to 3.11 the allocation of a frame object may run the garbage collector, and a destructor may resume the very
// greenlet that the object is made for. So the collector is paused, and all outer frames get their objects now:
// `f_back` finds these and makes none.
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

// The collector runs only between two instructions of Python code.
PyFrameObject* make_frame_objects(PyThreadState* ts) noexcept { return PyThreadState_GetFrame(ts); }

#endif

}  // namespace

PyFrameObject* innermost_frame_object(PyThreadState* ts, const State& state) noexcept {
    CollectorPaused paused;
    if (state.calls.innermost_frame() != nullptr) {
        Prefetch(state).reach(state.calls.innermost_frame());
    }
    return Calls::with_innermost_frame(ts, state.calls.innermost_frame(), [ts] { return make_frame_objects(ts); });
}

PyObject* frame_before_call(PyObject* function, PyObject* name) noexcept {
    PyObject* called = PyMethod_Check(function) ? PyMethod_GET_FUNCTION(function) : function;
    PyThreadState* ts = PyThreadState_Get();
    if (PyFunction_Check(called)) {
        auto* code = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(called));
        return reinterpret_cast<PyObject*>(PyFrame_New(ts, code, PyFunction_GET_GLOBALS(called), nullptr));
    }
    const char* text = PyUnicode_AsUTF8(name);
    PyObject* globals = text != nullptr ? PyDict_New() : nullptr;
    PyCodeObject* code = globals != nullptr ? PyCode_NewEmpty("<native>", text, 0) : nullptr;
    PyFrameObject* frame = code != nullptr ? PyFrame_New(ts, code, globals, nullptr) : nullptr;
    Py_XDECREF(code);
    Py_XDECREF(globals);
    return reinterpret_cast<PyObject*>(frame);
}

}  // namespace interpreter
