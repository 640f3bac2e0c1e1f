// The classes of generators and coroutines. They differ in their names, documentation and the tables below; the rest of
// their slots, garbage collection and the end of an object included, is the same.

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
