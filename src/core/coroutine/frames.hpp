// What a coroutine shows of itself: where it is, and what it awaits.

#pragma once

#include "core/coroutine/coroutine.hpp"

namespace core {

// While the coroutine is suspended its innermost frame. While it runs in this thread its outermost one. Otherwise None.
// A new reference; nullptr with MemoryError.
PyObject* frame_of(const Coroutine& coroutine) noexcept;

// What the C function that suspended the coroutine owns in its GcRoot, else None: a new reference. nullptr with
// MemoryError.
PyObject* innermost_root(const Coroutine& coroutine) noexcept;

}  // namespace core
