#include "coroutines/attributes.hpp"

namespace coroutines {

using State = core::Coroutine::State;

namespace {

PyObject* attribute_of_function(PyObject* self, const char* name, PyObject* fallback) {
    PyObject* value = PyObject_GetAttrString(of(self).function, name);
    if (value == nullptr && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return Py_NewRef(fallback);
    }
    return value;
}

PyObject* get_name_attribute(PyObject* self, PyObject*& own_name, const char* attribute) {
    PyObject* name = interpreter::SharedReference(self, own_name).get();
    auto* type = reinterpret_cast<PyObject*>(Py_TYPE(of(self).function));
    return name != nullptr ? name : attribute_of_function(self, attribute, type);
}

int set_name_attribute(PyObject* self, PyObject*& name, PyObject* value, const char* attribute) {
    if (value == nullptr || !PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be set to a string object", attribute);
        return -1;
    }
    PyObject* old = interpreter::SharedReference(self, name).exchange(Py_NewRef(value));
    Py_XDECREF(old);
    return 0;
}

}  // namespace

PyObject* get_name(PyObject* self, void*) { return get_name_attribute(self, of(self).name, "__name__"); }

int set_name(PyObject* self, PyObject* value, void*) {
    return set_name_attribute(self, of(self).name, value, "__name__");
}

PyObject* get_qualified_name(PyObject* self, void*) {
    return get_name_attribute(self, of(self).qualified_name, "__qualname__");
}

int set_qualified_name(PyObject* self, PyObject* value, void*) {
    return set_name_attribute(self, of(self).qualified_name, value, "__qualname__");
}

PyObject* get_code(PyObject* self, void*) { return attribute_of_function(self, "__code__", Py_None); }

PyObject* get_frame(PyObject* self, void*) { return core::suspended_frame(of(self).coroutine); }

PyObject* get_none(PyObject*, void*) { Py_RETURN_NONE; }

PyObject* is_running(PyObject* self, void*) { return PyBool_FromLong(of(self).coroutine.state == State::running); }

PyObject* is_suspended(PyObject* self, void*) { return PyBool_FromLong(of(self).coroutine.state == State::suspended); }

}  // namespace coroutines
