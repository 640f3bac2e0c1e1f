// Objects with memory of ours behind them.
//
// From 3.12 on an object can be allocated together with more than its class asks for, which saves an allocation. The class
// stays as small as its clients were compiled for.

#pragma once

#include <cstddef>
#include <cstring>
#include <iterator>

#include "interpreter/cpython.hpp"

namespace interpreter {

#if PY_VERSION_HEX >= 0x030C0000

// A new object of exactly `type`, not yet tracked by the garbage collector, all zero behind its header, with an `Extra` that is
// all zero behind its class's part. nullptr with an exception if memory ran out.
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

// Memory for an Extra whose object was not made by new_with_extra(). nullptr if there is none, without an exception.
template <class Extra>
void* allocate_extra() noexcept {
    return PyObject_Malloc(sizeof(Extra));
}

template <class Extra>
void free_extra(void* memory) noexcept {
    PyObject_Free(memory);
}

#else

template <class Object, class Extra>
Object* new_with_extra(PyTypeObject* type) noexcept {
    Object* object = PyObject_GC_New(Object, type);
    if (object != nullptr) {
        std::memset(reinterpret_cast<PyObject*>(object) + 1, 0, sizeof(Object) - sizeof(PyObject));
    }
    return object;
}

// There is none.
template <class Extra, class Object>
Extra* extra_of(Object*) noexcept {
    return nullptr;
}

// Every object needs one, so some are kept for the next ones. All interpreters of a process share a GIL.
template <class Extra>
struct SpareExtras {
    static inline void* blocks[64];
    static inline std::size_t count = 0;
};

template <class Extra>
void* allocate_extra() noexcept {
    using Spare = SpareExtras<Extra>;
    return Spare::count > 0 ? Spare::blocks[--Spare::count] : PyObject_Malloc(sizeof(Extra));
}

template <class Extra>
void free_extra(void* memory) noexcept {
    using Spare = SpareExtras<Extra>;
    if (memory != nullptr && Spare::count < std::size(Spare::blocks)) {
        Spare::blocks[Spare::count++] = memory;
    }
    else {
        PyObject_Free(memory);
    }
}

#endif

}  // namespace interpreter
