// CPython 3.11 to 3.15: learning at import what was decided when the interpreter was built.

#pragma once

namespace interpreter {

// To be called once for each interpreter, before any greenlet starts. Sets an exception and returns false if memory ran
// out, or if this was compiled for another interpreter.
bool prepare() noexcept;

}  // namespace interpreter
