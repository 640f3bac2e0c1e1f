// The exception in flight, put aside while other code runs.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// Takes the exception in flight, if any, and puts it back when restore() is called or at the end of the scope.
class PendingException {
public:
#if PY_VERSION_HEX >= 0x030C0000
    PendingException() noexcept : exception_(PyErr_GetRaisedException()) {}
    void restore() noexcept {
        if (exception_ != nullptr) {
            PyErr_SetRaisedException(exception_);
            exception_ = nullptr;
        }
    }
    void discard() noexcept { Py_CLEAR(exception_); }
    bool exists() const noexcept { return exception_ != nullptr; }

private:
    PyObject* exception_;
#else
    PendingException() noexcept { PyErr_Fetch(&type_, &value_, &traceback_); }
    void restore() noexcept {
        if (type_ != nullptr) {
            PyErr_Restore(type_, value_, traceback_);
            type_ = value_ = traceback_ = nullptr;
        }
    }
    void discard() noexcept {
        Py_CLEAR(type_);
        Py_CLEAR(value_);
        Py_CLEAR(traceback_);
    }
    bool exists() const noexcept { return type_ != nullptr; }

private:
    PyObject* type_;
    PyObject* value_;
    PyObject* traceback_;
#endif

public:
    ~PendingException() { restore(); }
    PendingException(const PendingException&) = delete;
    PendingException& operator=(const PendingException&) = delete;
};

// Is an exception in flight?
inline bool is_exception_set(const PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    return ts->current_exception != nullptr;
#else
    return ts->curexc_type != nullptr;
#endif
}

// Takes the exception in flight as one normalized object with its traceback, or nullptr. The caller owns it.
//
// On 3.11 a traceback is only put into the exception when that is caught. `uncaught`: then it is let go of there, with all
// that its frames keep alive.
inline PyObject* take_exception([[maybe_unused]] bool uncaught = false) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == nullptr) {
        return nullptr;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != nullptr && !uncaught) {
        PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

// Has an exception in flight that is only a class and arguments yet, as CPython 3.11 leaves it, made by whoever raised it. What
// that raises takes its place.
inline void make_exception() noexcept {
#if PY_VERSION_HEX < 0x030C0000
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyErr_Restore(type, value, traceback);
#endif
}

// Raises an exception as it is, with the traceback it has. Takes it over.
inline void put_exception(PyObject* exception) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    PyErr_Restore(Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(exception))), exception, PyException_GetTraceback(exception));
#endif
}

}  // namespace interpreter
