#include "aio/function.hpp"

#include <cstddef>

#include <structmember.h>  // after Python.h

namespace aio {

namespace {

struct Function {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject* dict;  // owned; what a function has, from a Python function (greenlet/aio.py)
    PyObject* weak_references;
};

Function& of(PyObject* self) noexcept { return *reinterpret_cast<Function*>(self); }

// As an attribute of a class it is not bound, like any function in C.
PyObject* bind(PyObject* self, PyObject*, PyObject*) { return Py_NewRef(self); }

PyObject* function_repr(PyObject* self) {
    PyObject* name = PyObject_GetAttrString(self, "__qualname__");
    PyObject* text = name != nullptr ? PyUnicode_FromFormat("<built-in function %S>", name) : nullptr;
    Py_XDECREF(name);
    return text;
}

// To pickle and copy it is its name.
PyObject* reduce(PyObject* self, PyObject*) { return PyObject_GetAttrString(self, "__qualname__"); }

int function_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(of(self).dict);
    return 0;
}

int function_clear(PyObject* self) {
    Py_CLEAR(of(self).dict);
    return 0;
}

void function_deallocate(PyObject* self) {
    PyObject_GC_UnTrack(self);
    if (of(self).weak_references != nullptr) {
        PyObject_ClearWeakRefs(self);
    }
    Py_CLEAR(of(self).dict);
    PyTypeObject* type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(function_doc, "A function in C that `inspect` takes for a coroutine function.");

PyMethodDef methods[] = {
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {},
};

PyGetSetDef attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {},
};

PyMemberDef offsets[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Function, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Function, weak_references), READONLY, nullptr},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Function, vectorcall), READONLY, nullptr},
    {},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(function_doc)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_descr_get, reinterpret_cast<void*>(bind)},
    {Py_tp_repr, reinterpret_cast<void*>(function_repr)},
    {Py_tp_traverse, reinterpret_cast<void*>(function_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(function_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(function_deallocate)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, offsets},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet.aio.CoroutineFunction",
    sizeof(Function),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION |
        Py_TPFLAGS_IMMUTABLETYPE,
    slots,
};

}  // namespace

PyObject* make_function(core::ModuleState& state, const char* name, vectorcallfunc call) noexcept {
    PyTypeObject* type = state.aio.function_type;
    PyObject* self = type->tp_alloc(type, 0);
    if (self == nullptr) {
        return nullptr;
    }
    of(self).vectorcall = call;
    PyObject* text = PyUnicode_InternFromString(name);
    if (text == nullptr || PyObject_SetAttrString(self, "__name__", text) < 0 ||
        PyObject_SetAttrString(self, "__qualname__", text) < 0) {
        Py_CLEAR(self);
    }
    Py_XDECREF(text);
    return self;
}

PyTypeObject* make_function_type() noexcept { return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec)); }

}  // namespace aio
