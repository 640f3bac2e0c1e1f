#include "coroutines/arguments.hpp"

#include "core/reference.hpp"

namespace coroutines {

namespace {

using core::Message;
using core::Reference;

struct Parameters {
    Py_ssize_t positional;       // how many can be given by position
    Py_ssize_t positional_only;  // how many of these, the first ones, can be given only by position
    Py_ssize_t all;              // how many there are, keyword-only ones included
    bool takes_more;             // *args
    bool takes_other_names;      // **kwargs
    PyObject* function;
    PyCodeObject* code;

    explicit Parameters(PyObject* python_function)
        : function(python_function), code(reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(python_function))) {
        positional = code->co_argcount;
        positional_only = code->co_posonlyargcount;
        all = positional + code->co_kwonlyargcount;
        takes_more = (code->co_flags & CO_VARARGS) != 0;
        takes_other_names = (code->co_flags & CO_VARKEYWORDS) != 0;
    }

    // How many positional parameters have no default. They are the first ones.
    Py_ssize_t required() const {
        PyObject* defaults = PyFunction_GET_DEFAULTS(function);
        return positional - (defaults != nullptr ? PyTuple_GET_SIZE(defaults) : 0);
    }

    bool has_default(PyObject* name) const {
        PyObject* defaults = PyFunction_GET_KW_DEFAULTS(function);
        int has = defaults != nullptr ? PyDict_Contains(defaults, name) : 0;
        if (has < 0) {
            PyErr_Clear();
        }
        return has > 0;
    }

    // True if the parameter with this number and name has no default.
    bool must_be_given(Py_ssize_t number, PyObject* name) const {
        return number < positional ? number < required() : !has_default(name);
    }
};

// True if `names`, of keyword arguments, include a parameter.
bool is_named(PyObject* parameter, PyObject* names) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        if (name == parameter || PyUnicode_Compare(name, parameter) == 0) {
            return true;
        }
    }
    return false;
}

bool fit_by_name(const Parameters& parameters, Py_ssize_t given, PyObject* names) {
    Reference variables = Reference::steal(PyCode_GetVarnames(parameters.code));
    if (!variables) {
        PyErr_Clear();
        return true;  // the call itself will fail then
    }
    Py_ssize_t matched = 0;
    for (Py_ssize_t i = 0; i < parameters.all; ++i) {
        PyObject* parameter = PyTuple_GET_ITEM(variables.get(), i);
        bool named = names != nullptr && i >= parameters.positional_only && is_named(parameter, names);
        matched += named;
        bool given_by_position = i < parameters.positional && i < given;
        if (given_by_position ? named : !named && parameters.must_be_given(i, parameter)) {
            return false;  // given twice, or missing
        }
    }
    return parameters.takes_other_names || names == nullptr || matched == PyTuple_GET_SIZE(names);
}

bool fit(const Parameters& parameters, Py_ssize_t given, PyObject* names) {
    if (given > parameters.positional && !parameters.takes_more) {
        return false;
    }
    if (names == nullptr && parameters.all == parameters.positional) {
        return given >= parameters.required();
    }
    return fit_by_name(parameters, given, names);
}

// Calls an empty function with the same parameters, so that CPython itself raises the TypeError. True if the arguments
// fit.
[[gnu::noinline]] bool call_empty(PyObject* function, PyObject* instance, const Message& message) {
    Reference module = Reference::steal(PyImport_ImportModule("greenlet._arguments"));
    Reference empty = Reference::steal(module ? PyObject_CallMethod(module.get(), "empty", "O", function) : nullptr);
    if (empty && instance != nullptr) {
        empty = Reference::steal(PyMethod_New(empty.get(), instance));
    }
    auto count = static_cast<std::size_t>(message.positional);
    return empty && Reference::steal(PyObject_Vectorcall(empty.get(), message.arguments, count, message.keyword_names));
}

}  // namespace

bool check_arguments(PyObject* callable, const Message& message) noexcept {
    PyObject* instance = nullptr;
    if (PyMethod_Check(callable)) {
        instance = PyMethod_GET_SELF(callable);
        callable = PyMethod_GET_FUNCTION(callable);
    }
    if (!PyFunction_Check(callable)) {
        return true;
    }
    Py_ssize_t given = message.positional + (instance != nullptr ? 1 : 0);
    PyObject* names = message.keyword_names;
    bool has_names = names != nullptr && PyTuple_GET_SIZE(names) > 0;
    return fit(Parameters(callable), given, has_names ? names : nullptr) || call_empty(callable, instance, message);
}

}  // namespace coroutines
