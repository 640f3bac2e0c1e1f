// The attributes of generators and coroutines: their names, code, frame and state.

#pragma once

#include "coroutines/object.hpp"

namespace coroutines {

PyObject* get_name(PyObject* self, void*);
int set_name(PyObject* self, PyObject* value, void*);
PyObject* get_qualified_name(PyObject* self, void*);
int set_qualified_name(PyObject* self, PyObject* value, void*);
PyObject* get_code(PyObject* self, void*);
PyObject* get_frame(PyObject* self, void*);
PyObject* get_code_of_frame(PyObject* self, void*);
PyObject* get_none(PyObject* self, void*);
PyObject* get_innermost_root(PyObject* self, void*);
PyObject* get_state(PyObject* self, void* kind);  // "GEN" or "CORO"
PyObject* is_running(PyObject* self, void*);
PyObject* is_suspended(PyObject* self, void*);

}  // namespace coroutines
