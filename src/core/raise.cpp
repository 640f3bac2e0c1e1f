#include "core/raise.hpp"

#include <cstdarg>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"

namespace core {

bool raise(PyObject* type, PyObject* value, PyObject* traceback) noexcept {
    value = value != Py_None ? value : nullptr;
    traceback = traceback != Py_None ? traceback : nullptr;
    if (traceback != nullptr && !PyTraceBack_Check(traceback)) {
        PyErr_SetString(PyExc_TypeError, "throw() third argument must be a traceback object");
        return false;
    }
    if (PyExceptionInstance_Check(type)) {
        if (value != nullptr) {
            PyErr_SetString(PyExc_TypeError, "instance exception may not have a separate value");
            return false;
        }
        value = type;
        type = reinterpret_cast<PyObject*>(Py_TYPE(type));
    }
    else if (!PyExceptionClass_Check(type)) {
        PyErr_Format(PyExc_TypeError, "exceptions must be classes, or instances, not %s", Py_TYPE(type)->tp_name);
        return false;
    }
    else if (value != nullptr && PyExceptionInstance_Check(value)) {
        int is_instance = PyObject_IsInstance(value, type);
        if (is_instance < 0) {
            return false;
        }
        type = is_instance ? reinterpret_cast<PyObject*>(Py_TYPE(value)) : type;
    }
    Reference held_traceback = Reference::borrow(traceback);
    if (traceback == nullptr && value != nullptr && PyExceptionInstance_Check(value)) {
        held_traceback = Reference::steal(PyException_GetTraceback(value));
    }
    PyErr_Restore(Py_NewRef(type), Py_XNewRef(value), held_traceback.release());
    interpreter::make_exception();
    return true;
}

void add_note(const char* format, ...) noexcept {
    PyObject* exception = interpreter::take_exception();
    std::va_list arguments;
    va_start(arguments, format);
    Reference note = Reference::steal(PyUnicode_FromFormatV(format, arguments));
    va_end(arguments);
    Reference added = Reference::steal(note ? PyObject_CallMethod(exception, "add_note", "O", note.get()) : nullptr);
    PyErr_Clear();
    interpreter::put_exception(exception);
}

}  // namespace core
