// greenlet.generators: functions that give values to an iterating caller from any call depth.

#pragma once

#include "core/layer.hpp"

namespace generators {

// What an interpreter has of this layer.
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
