// The functions of greenlet.stackless.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace stackless {

extern PyMethodDef functions[];

}  // namespace stackless
