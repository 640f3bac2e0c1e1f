#include "interpreter/frames/link.hpp"

#include <frameobject.h>

#include <cstring>

#include "interpreter/versions/calls.hpp"

namespace interpreter {

bool LinkLooks::make(PyThreadState* ts) noexcept {
    if (!links_frames) {
        return true;
    }
    if (code == nullptr) {
        code = reinterpret_cast<PyObject*>(PyCode_NewEmpty("<greenlet>", "(resumed by)", 1));
    }
    if (code != nullptr && frame == nullptr) {
        PyObject* globals = PyDict_New();
        if (globals != nullptr) {
            auto* body = reinterpret_cast<PyCodeObject*>(code);
            frame = reinterpret_cast<PyObject*>(PyFrame_New(ts, body, globals, nullptr));
            Py_DECREF(globals);
        }
    }
    return frame != nullptr;
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
                (PyUnicode_CompareWithASCIIString(module, "sys") == 0 ||
                 PyUnicode_CompareWithASCIIString(module, "builtins") == 0);
    }
    Py_DECREF(called);
    return looks;
}

#if PY_VERSION_HEX >= 0x030C0000 && !defined(Py_GIL_DISABLED)

void unlink_traceback(PyThreadState* ts, const Link& link) noexcept {
    auto* exception = reinterpret_cast<PyBaseExceptionObject*>(ts->current_exception);
    if (exception == nullptr || exception->traceback == nullptr || !PyTraceBack_Check(exception->traceback)) {
        return;
    }
    PyFrameObject* outermost = reinterpret_cast<PyTracebackObject*>(exception->traceback)->tb_frame;
    if (outermost->f_back == nullptr) {
        return;
    }
    auto get_frame = [ts] { return PyThreadState_GetFrame(ts); };
    PyFrameObject* resumer = Calls::with_innermost_frame(ts, link.resumer(), get_frame);
    if (outermost->f_back == resumer) {
        Py_CLEAR(outermost->f_back);
    }
    Py_XDECREF(resumer);
}

#else

// CPython 3.11 has no links. Without a GIL another thread may be reading the `f_back`.
void unlink_traceback(PyThreadState*, const Link&) noexcept {}

#endif

}  // namespace interpreter
