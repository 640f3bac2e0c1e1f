// The argument of functions that take a greenlet.

#pragma once

#include "core/greenlet.hpp"

namespace inspect {

// Borrowed, or nullptr with TypeError.
inline const PyGreenlet* greenlet_in(PyObject* object) noexcept {
    const core::ModuleState* module = core::ModuleState::of_interpreter();
    if (module == nullptr || core::is_greenlet(object, *module)) {
        return module != nullptr ? core::as_greenlet(object) : nullptr;
    }
    PyErr_Format(PyExc_TypeError, "a greenlet is needed, not '%.200s'", Py_TYPE(object)->tp_name);
    return nullptr;
}

}  // namespace inspect
