// greenlet.generators: functions that yield values to an iterating caller from any call depth.

#pragma once

#include "core/layer.hpp"

namespace generators {

// This layer's state in an interpreter.
struct Types {
    PyTypeObject* generator;
    PyTypeObject* function;

    ~Types() {
        Py_XDECREF(generator);
        Py_XDECREF(function);
    }
};

inline constexpr core::Layer<Types> layer{0};

// Adds this layer to the module greenlet._greenlet. 0, or -1 with an exception.
int add_to(PyObject* module, core::ModuleState& state) noexcept;

}  // namespace generators
