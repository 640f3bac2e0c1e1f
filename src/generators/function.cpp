#include "generators/function.hpp"

#include "core/coroutine/coroutine.hpp"
#include "coroutines/arguments.hpp"
#include "coroutines/callable.hpp"
#include "coroutines/native_function.hpp"
#include "generators/object.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"

namespace generators {

namespace {

struct Function {
    coroutines::Callable base;
    PyObject* wrapped;  // owned; the decorated function
};

Function& of(PyObject* self) noexcept { return *reinterpret_cast<Function*>(self); }

PyObject* call(PyObject* self, PyObject* const* args, std::size_t flagged_count, PyObject* names) {
    core::Thread* thread = core::Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    core::Message message{args, PyVectorcall_NARGS(flagged_count), names};
    PyObject* wrapped = of(self).wrapped;
    return coroutines::check_arguments(wrapped, message) ? make_generator(*thread->module, wrapped, message) : nullptr;
}

PyObject* function_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"", nullptr};
    PyObject* wrapped;
    if (!python::parse(args, kwargs, "O:GeneratorFunction", names, &wrapped)) {
        return nullptr;
    }
    if (!PyCallable_Check(wrapped)) {
        PyErr_Format(PyExc_TypeError, "generator() needs a function, not %s", Py_TYPE(wrapped)->tp_name);
        return nullptr;
    }
    if (coroutines::what_a_call_makes(wrapped) != coroutines::Makes::nothing) {
        PyErr_Format(PyExc_TypeError,
                     "generator() needs a function that calls yield_(), not %R, which has `yield` or `async` in its "
                     "definition: write yield_(value) for `yield value`, or leave generator() out",
                     wrapped);
        return nullptr;
    }
    PyObject* self = type->tp_alloc(type, 0);
    if (self != nullptr) {
        of(self).base.vectorcall = call;
        of(self).wrapped = Py_NewRef(wrapped);
    }
    return self;
}

PyObject* bind(PyObject* self, PyObject* instance, PyObject*) {
    return instance != nullptr && instance != Py_None ? PyMethod_New(self, instance) : Py_NewRef(self);
}

PyObject* get_wrapped(PyObject* self, void*) { return Py_NewRef(of(self).wrapped); }

PyObject* function_repr(PyObject* self) { return PyUnicode_FromFormat("<generator function of %R>", of(self).wrapped); }

int function_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(of(self).wrapped);  // never cleared: a call may still need it, and clearing its referents breaks a cycle
    return coroutines::traverse_callable(self, visit, arg);
}

void function_deallocate(PyObject* self) {
    PyObject* wrapped = of(self).wrapped;
    coroutines::deallocate_callable(self);
    Py_XDECREF(wrapped);
}

PyDoc_STRVAR(function_doc,
"A function decorated by generator(): calling it makes a generator.");

PyGetSetDef attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"__wrapped__", get_wrapped, nullptr, "The decorated function.", nullptr},
    {},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(function_doc)},
    {Py_tp_new, reinterpret_cast<void*>(function_new)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_descr_get, reinterpret_cast<void*>(bind)},
    {Py_tp_repr, reinterpret_cast<void*>(function_repr)},
    {Py_tp_traverse, reinterpret_cast<void*>(function_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(coroutines::clear_callable)},
    {Py_tp_dealloc, reinterpret_cast<void*>(function_deallocate)},
    {Py_tp_methods, coroutines::callable_methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, coroutines::callable_offsets},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet.generators.GeneratorFunction",
    sizeof(Function),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
        Py_TPFLAGS_IMMUTABLETYPE,
    slots,
};

}  // namespace

PyTypeObject* make_function_type() noexcept { return python::make_type(spec); }

}  // namespace generators
