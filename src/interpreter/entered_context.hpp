// Is a contextvars.Context in use by its run() method?

#pragma once

#include "interpreter/versions/cpython.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <internal/pycore_context.h>
#pragma GCC diagnostic pop

namespace interpreter {

inline bool is_entered(PyObject* context) noexcept {
    return context != nullptr && reinterpret_cast<PyContext*>(context)->ctx_entered != 0;
}

}  // namespace interpreter
