// CPython 3.11 to 3.15: the calls in progress on a thread state, and what belongs to the C stack they run on. The
// versions differ most here, so each has a file of its own; this one chooses.
//
//     least_stack_bytes()            stacks smaller than this are of no use
//     Calls                          the innermost frame and the depth: save(), load(), running_frame(), ...
//     CStack                         what belongs to a greenlet's C stack: save(), load(), abandon()
//     StackLimit                     how much C stack the interpreter believes there is
//     begin_calls()                  what an unused stack begins with
//     do_postponed_deallocations()   destroys the containers whose deallocation was postponed on this stack

#pragma once

#include "interpreter/versions/cpython.hpp"

#if PY_VERSION_HEX >= 0x030E0000
#include "interpreter/versions/calls_3_14.hpp"
#elif PY_VERSION_HEX >= 0x030D0000
#include "interpreter/versions/calls_3_13.hpp"
#else
#include "interpreter/versions/calls_3_11.hpp"
#endif
