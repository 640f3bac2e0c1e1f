// CPython 3.11 to 3.15: the exception in flight. On 3.11 it is a class, a value and a traceback; from 3.12 on it is one
// object.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// Takes the exception in flight, if any, while other code runs. restore() puts it back, at the latest at the end of the
// scope.
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

inline bool is_exception_set(const PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    return ts->current_exception != nullptr;
#else
    return ts->curexc_type != nullptr;
#endif
}

// Takes the exception in flight as one normalized object with its traceback, or nullptr. The caller owns it.
//
// On 3.11 an exception gets its traceback only when it is caught. If `uncaught`, the traceback is released on 3.11
// instead, with everything that its frames keep alive.
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

// Makes an object of the exception in flight, where it is still a class and its arguments, as CPython 3.11 leaves it.
// An exception that is raised meanwhile takes its place.
inline void make_exception() noexcept {
#if PY_VERSION_HEX < 0x030C0000
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyErr_Restore(type, value, traceback);
#endif
}

// Raises an exception with the traceback that it has. Steals it.
inline void put_exception(PyObject* exception) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    PyObject* type = Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(exception)));
    PyErr_Restore(type, exception, PyException_GetTraceback(exception));
#endif
}

}  // namespace interpreter
