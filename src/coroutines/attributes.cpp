#include "coroutines/attributes.hpp"

#include "core/coroutine/frames.hpp"
#include "core/reference.hpp"
#include "interpreter/frames/frame_object.hpp"

namespace coroutines {

using State = core::Coroutine::State;

namespace {

// An attribute of the coroutine's function: a new reference, or nullptr. Without an exception if there is none.
PyObject* attribute_of_function(PyObject* self, const char* name) {
    PyObject* value = PyObject_GetAttrString(of(self).function, name);
    if (value == nullptr && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
    }
    return value;
}

// The name that the coroutine was given, that of its function, or that of the function's class.
PyObject* get_name_attribute(PyObject* self, PyObject*& own_name, const char* attribute) {
    PyObject* name = interpreter::SharedReference(self, own_name).get();
    if (name == nullptr) {
        name = attribute_of_function(self, attribute);
        if (name != nullptr && !PyUnicode_Check(name)) {
            Py_CLEAR(name);
        }
    }
    if (name == nullptr && !PyErr_Occurred()) {
        name = PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(of(self).function)), attribute);
    }
    return name;
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

PyObject* get_code(PyObject* self, void*) {
    PyObject* code = attribute_of_function(self, "__code__");
    return code != nullptr || PyErr_Occurred() ? code : Py_NewRef(Py_None);
}

PyObject* get_frame(PyObject* self, void*) {
    if (of(self).coroutine.state == State::unstarted) {
        core::Reference name = core::Reference::steal(get_name(self, nullptr));
        return name ? interpreter::frame_before_call(of(self).function, name.get()) : nullptr;
    }
    return core::frame_of(of(self).coroutine);
}

PyObject* get_code_of_frame(PyObject* self, void*) {
    core::Reference frame = core::Reference::steal(get_frame(self, nullptr));
    if (!frame || frame.get() == Py_None) {
        return frame ? get_code(self, nullptr) : nullptr;
    }
    return reinterpret_cast<PyObject*>(PyFrame_GetCode(reinterpret_cast<PyFrameObject*>(frame.get())));
}

PyObject* get_innermost_root(PyObject* self, void*) { return core::innermost_root(of(self).coroutine); }

PyObject* get_none(PyObject*, void*) { Py_RETURN_NONE; }

PyObject* is_running(PyObject* self, void*) { return PyBool_FromLong(of(self).coroutine.state == State::running); }

PyObject* get_state(PyObject* self, void* kind) {
    constexpr const char* names[] = {"CREATED", "SUSPENDED", "RUNNING", "CLOSED"};  // by State
    State state = of(self).coroutine.state;
    return PyUnicode_FromFormat("%s_%s", static_cast<const char*>(kind), names[static_cast<std::size_t>(state)]);
}

PyObject* is_suspended(PyObject* self, void*) { return PyBool_FromLong(of(self).coroutine.state == State::suspended); }

}  // namespace coroutines
