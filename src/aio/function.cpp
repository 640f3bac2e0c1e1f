#include "aio/function.hpp"

#include "aio/state.hpp"
#include "coroutines/callable.hpp"
#include "python/define.hpp"

namespace aio {

namespace {

using coroutines::Callable;

// As an attribute of a class it is not bound to instances, like all C functions.
PyObject* bind(PyObject* self, PyObject*, PyObject*) { return Py_NewRef(self); }

PyObject* function_repr(PyObject* self) {
    PyObject* name = PyObject_GetAttrString(self, "__qualname__");
    PyObject* text = name != nullptr ? PyUnicode_FromFormat("<built-in function %S>", name) : nullptr;
    Py_XDECREF(name);
    return text;
}

PyDoc_STRVAR(function_doc, "A function in C that `inspect` takes for a coroutine function.");

PyGetSetDef attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(function_doc)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_descr_get, reinterpret_cast<void*>(bind)},
    {Py_tp_repr, reinterpret_cast<void*>(function_repr)},
    {Py_tp_traverse, reinterpret_cast<void*>(coroutines::traverse_callable)},
    {Py_tp_clear, reinterpret_cast<void*>(coroutines::clear_callable)},
    {Py_tp_dealloc, reinterpret_cast<void*>(coroutines::deallocate_callable)},
    {Py_tp_methods, coroutines::callable_methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, coroutines::callable_offsets},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet.aio.CoroutineFunction",
    sizeof(Callable),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION |
        Py_TPFLAGS_IMMUTABLETYPE,
    slots,
};

}  // namespace

PyObject* make_function(core::ModuleState& state, const char* name, vectorcallfunc call) noexcept {
    PyTypeObject* type = layer.of(state).function_type;
    PyObject* self = type->tp_alloc(type, 0);
    if (self == nullptr) {
        return nullptr;
    }
    reinterpret_cast<Callable*>(self)->vectorcall = call;
    PyObject* text = PyUnicode_InternFromString(name);
    if (text == nullptr || PyObject_SetAttrString(self, "__name__", text) < 0 ||
        PyObject_SetAttrString(self, "__qualname__", text) < 0) {
        Py_CLEAR(self);
    }
    Py_XDECREF(text);
    return self;
}

PyTypeObject* make_function_type() noexcept { return python::make_type(spec); }

}  // namespace aio
