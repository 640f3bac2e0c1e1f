// CPython 3.11 to 3.15: a frame, and the values in it.
//
// A value is a variable of the frame or an operand on its value stack. Up to 3.13 it is a pointer. From 3.14 on the
// pointer is tagged: its two lowest bits mark a value that is borrowed, or no object.

#pragma once

#include "interpreter/versions/cpython.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <internal/pycore_frame.h>
#pragma GCC diagnostic pop

#include <utility>

namespace interpreter {

using Frame = _PyInterpreterFrame;

#if PY_VERSION_HEX >= 0x030E0000

using Value = _PyStackRef;
inline constexpr Value no_value = {1};

// The object that the value owns a reference to, or nullptr.
inline PyObject* owned_object(Value value) noexcept {
    return (value.bits & 3) == 0 ? reinterpret_cast<PyObject*>(value.bits) : nullptr;
}

// The object that the value is, owned or borrowed, or nullptr.
inline PyObject* object_of(Value value) noexcept {
    return (value.bits & 2) == 0 ? reinterpret_cast<PyObject*>(value.bits & ~std::uintptr_t{1}) : nullptr;
}

// Replaces a value that is an object with None, and returns a new reference to the object.
inline PyObject* exchange_for_none(Value& value) noexcept {
    PyObject* owned = owned_object(value);
    PyObject* taken = owned != nullptr ? owned : Py_NewRef(object_of(value));
    value = Value{reinterpret_cast<std::uintptr_t>(Py_None) | 1};
    return taken;
}

inline PyCodeObject* code_of(const Frame* frame) noexcept {
    return reinterpret_cast<PyCodeObject*>(frame->f_executable.bits & ~std::uintptr_t{3});
}
inline PyObject* owned_code(const Frame* frame) noexcept { return owned_object(frame->f_executable); }
inline PyObject* owned_function(const Frame* frame) noexcept { return owned_object(frame->f_funcobj); }

#else

using Value = PyObject*;
inline constexpr Value no_value = nullptr;

inline PyObject* owned_object(Value value) noexcept { return value; }
inline PyObject* exchange_for_none(Value& value) noexcept { return std::exchange(value, Py_NewRef(Py_None)); }

#if PY_VERSION_HEX >= 0x030D0000
inline PyCodeObject* code_of(const Frame* frame) noexcept {
    return reinterpret_cast<PyCodeObject*>(frame->f_executable);
}
#else
inline PyCodeObject* code_of(const Frame* frame) noexcept { return frame->f_code; }
#endif
inline PyObject* owned_code(const Frame* frame) noexcept { return reinterpret_cast<PyObject*>(code_of(frame)); }
#if PY_VERSION_HEX >= 0x030C0000
inline PyObject* owned_function(const Frame* frame) noexcept { return frame->f_funcobj; }
#else
inline PyObject* owned_function(const Frame* frame) noexcept { return reinterpret_cast<PyObject*>(frame->f_func); }
#endif

#endif

// True if it is the frame of a Python function, on the data stack. A generator contains its frame, and visits it
// itself; some frames of the interpreter belong to no function.
inline bool is_on_data_stack(const Frame* frame) noexcept { return frame->owner == FRAME_OWNED_BY_THREAD; }

// True if a frame waits for a C function. If not, it waits for a Python function that the same evaluation loop runs.
// `callee` is the next frame inwards, or nullptr if the frame is the innermost one.
inline bool waits_for_c(const Frame* callee) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    return callee == nullptr || callee->owner > FRAME_OWNED_BY_FRAME_OBJECT;
#else
    return callee == nullptr || callee->is_entry;
#endif
}

}  // namespace interpreter
