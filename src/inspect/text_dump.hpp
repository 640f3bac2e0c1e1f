// The stacks of all greenlets of this process as text, written without the help of the interpreter.

#pragma once

namespace inspect {

// Writes the text to a file descriptor. `signal` is the one for which it is written. Only one thread may be here at a
// time.
void write_text_dump(int file, int signal) noexcept;

}  // namespace inspect
