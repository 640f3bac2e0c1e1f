#include "coroutines/native_function.hpp"

#include <cstring>

#include "core/reference.hpp"

namespace coroutines {

namespace {

using core::Reference;

// The callable that a method or a functools.partial calls. Empty for all others.
Reference inner(PyObject* callable) noexcept {
    if (PyMethod_Check(callable)) {
        return Reference::borrow(PyMethod_GET_FUNCTION(callable));
    }
    if (std::strcmp(Py_TYPE(callable)->tp_name, "functools.partial") != 0) {
        return {};
    }
    Reference function = Reference::steal(PyObject_GetAttrString(callable, "func"));
    if (!function) {
        PyErr_Clear();
    }
    return function;
}

}  // namespace

Makes what_a_call_makes(PyObject* callable) noexcept {
    Reference function = Reference::borrow(callable);
    while (function && !PyFunction_Check(function.get())) {
        function = inner(function.get());
    }
    if (!function) {
        return Makes::nothing;
    }
    int flags = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(function.get()))->co_flags;
    if ((flags & CO_ASYNC_GENERATOR) != 0) {
        return Makes::async_generator;
    }
    if ((flags & (CO_COROUTINE | CO_ITERABLE_COROUTINE)) != 0) {
        return Makes::coroutine;
    }
    return (flags & CO_GENERATOR) != 0 ? Makes::generator : Makes::nothing;
}

}  // namespace coroutines
