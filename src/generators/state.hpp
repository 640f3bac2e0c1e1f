// What one interpreter has of this layer.

#pragma once

#include "core/layer.hpp"

namespace generators {

struct State {
    PyTypeObject* generator_type;
    PyTypeObject* function_type;

    ~State() {
        Py_XDECREF(generator_type);
        Py_XDECREF(function_type);
    }
};

inline constexpr core::Layer<State> layer{0};

}  // namespace generators
