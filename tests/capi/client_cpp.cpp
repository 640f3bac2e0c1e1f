// A client of greenlet.h in C++: exceptions and destructors in greenlets.

#define PY_SSIZE_T_CLEAN
#include "greenlet/greenlet.h"

#include <stdexcept>
#include <string>

namespace {

// Switches to the parent of the running greenlet. Returns false with a Python exception set if it was resumed with one.
bool switch_to_parent() {
    PyGreenlet* current = PyGreenlet_GetCurrent();
    PyGreenlet* parent = PyGreenlet_GetParent(current);
    Py_DECREF(current);  // otherwise this reference keeps the suspended greenlet alive
    PyObject* value = PyGreenlet_Switch(parent, nullptr, nullptr);
    Py_DECREF(parent);
    Py_XDECREF(value);
    return value != nullptr;
}

int guards = 0;

struct Guard {
    Guard() { ++guards; }
    ~Guard() { --guards; }
};

[[noreturn, gnu::noinline]] void fail(int depth, const std::string& what) {
    Guard guard;
    if (depth > 0) {
        fail(depth - 1, what);
    }
    else {
        throw std::runtime_error(what);
    }
}

// How a function fails: at which call depth, and with which message.
struct Failure {
    int depth;
    const char* what;

    bool parse(PyObject* args) { return PyArg_ParseTuple(args, "is", &depth, &what) != 0; }
    [[noreturn]] void happen() const { fail(depth, what); }
};

// Throws and catches.
PyObject* throw_and_catch(PyObject*, PyObject* args) {
    Failure failure;
    if (!failure.parse(args)) {
        return nullptr;
    }
    try {
        failure.happen();
    }
    catch (const std::runtime_error& error) {
        return PyUnicode_FromString(error.what());
    }
    Py_RETURN_NONE;
}

// Switches between entering the block and throwing in it.
PyObject* switch_then_throw(PyObject*, PyObject* args) {
    Failure failure;
    if (!failure.parse(args)) {
        return nullptr;
    }
    try {
        Guard guard;
        if (!switch_to_parent()) {
            return nullptr;
        }
        failure.happen();
    }
    catch (const std::runtime_error& error) {
        return PyUnicode_FromString(error.what());
    }
    Py_RETURN_NONE;
}

// Switches while it handles an exception, then continues to handle it.
PyObject* switch_in_handler(PyObject*, PyObject* args) {
    Failure failure;
    if (!failure.parse(args)) {
        return nullptr;
    }
    try {
        failure.happen();
    }
    catch (const std::runtime_error& error) {
        if (!switch_to_parent()) {
            return nullptr;
        }
        return PyUnicode_FromString(error.what());
    }
    Py_RETURN_NONE;
}

// Calls a Python callable below a guard object; a Python exception becomes a C++ exception, and is converted back.
PyObject* call_guarded(PyObject*, PyObject* callable) {
    try {
        Guard guard;
        PyObject* result = PyObject_CallNoArgs(callable);
        if (result == nullptr) {
            throw std::runtime_error("Python exception");
        }
        return result;
    }
    catch (const std::runtime_error&) {
        return nullptr;
    }
}

PyObject* count_guards(PyObject*, PyObject*) { return PyLong_FromLong(guards); }

PyMethodDef functions[] = {
    {"throw_and_catch", throw_and_catch, METH_VARARGS, nullptr},
    {"switch_then_throw", switch_then_throw, METH_VARARGS, nullptr},
    {"switch_in_handler", switch_in_handler, METH_VARARGS, nullptr},
    {"call_guarded", call_guarded, METH_O, nullptr},
    {"count_guards", count_guards, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "client_cpp", nullptr, -1, functions, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_client_cpp() {
    PyObject* module = PyModule_Create(&definition);
    if (module == nullptr) {
        return nullptr;
    }
    PyGreenlet_Import();
    if (_PyGreenlet_API == nullptr) {
        return nullptr;
    }
    static_assert(sizeof(PyGreenlet) == sizeof(PyObject) + 3 * sizeof(void*), "clients embed it");
    return module;
}
