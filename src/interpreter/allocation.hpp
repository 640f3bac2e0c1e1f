// Objects with memory of ours behind them.
//
// From 3.12 on an object can be allocated together with more than its class asks for, which saves an allocation. The class
// stays as small as its clients were compiled for.

#pragma once

#include "interpreter/cpython.hpp"

namespace interpreter {

#if PY_VERSION_HEX >= 0x030C0000

// A new object of exactly `type`, not yet tracked by the garbage collector, all zero behind its header, with `Extra` behind
// its class's part. nullptr with an exception if memory ran out.
template <class Object, class Extra>
Object* new_with_extra(PyTypeObject* type) noexcept {
    return reinterpret_cast<Object*>(PyUnstable_Object_GC_NewWithExtraData(type, sizeof(Extra)));
}

// The memory behind an object of new_with_extra(), of which Object is the class's part.
template <class Extra, class Object>
Extra* extra_of(Object* object) noexcept {
    static_assert(sizeof(Object) % alignof(Extra) == 0);
    return reinterpret_cast<Extra*>(object + 1);
}

#else

template <class Object, class Extra>
Object* new_with_extra(PyTypeObject* type) noexcept {
    return PyObject_GC_New(Object, type);
}

// There is none.
template <class Extra, class Object>
Extra* extra_of(Object*) noexcept {
    return nullptr;
}

#endif

}  // namespace interpreter
