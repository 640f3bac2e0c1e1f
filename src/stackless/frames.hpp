// Frames of tasklets.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// The innermost frame: a new reference. nullptr, without an exception, if there is none or another thread uses it.
PyFrameObject* innermost_frame(const Tasklet& t) noexcept;

}  // namespace stackless
