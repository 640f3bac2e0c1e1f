// The classes of generators and coroutines. They differ in their names, documentation and the tables below. All their
// other slots are the same, also those for garbage collection and for the end of an object.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace coroutines {

// What differs between the classes.
struct Class {
    const char* name;
    const char* documentation;
    PyMethodDef* methods;
    PyGetSetDef* attributes;
    unaryfunc am_await;  // or nullptr
};

// A new reference, or nullptr with an exception.
PyTypeObject* make_type(const Class& description) noexcept;

}  // namespace coroutines
