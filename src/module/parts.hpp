// What the files of the extension module offer to each other.

#pragma once

#include "core/module_state.hpp"

namespace module {

// greenlet/: the class greenlet.greenlet. A new reference, or nullptr with an exception.
PyObject* make_greenlet_type() noexcept;

// greenlet.greenlet.__init__(). `run` and `parent` are nullptr if they are not given. 0, or -1 with an exception.
int initialize(PyObject* self, PyObject* run, PyObject* parent) noexcept;

// g.throw(). Arguments that are not given are nullptr.
PyObject* throw_into(PyObject* self, PyObject* type, PyObject* value, PyObject* traceback) noexcept;

// greenlet/unswitchable.cpp: a class for tests of failing switches. A new reference, or nullptr with an exception.
PyObject* make_unswitchable_type(PyObject* greenlet_type) noexcept;

// functions.cpp: getcurrent().
PyObject* get_current() noexcept;

// about.cpp: the function _about(), for `python -m greenlet`.
PyObject* about(PyObject* module, PyObject*);

// functions.cpp: the functions of the module.
extern PyMethodDef functions[];

// A function that is defined only on versions of CPython that count the nesting.
extern PyMethodDef trash_nesting_function[];

// c_api.cpp: the capsule greenlet._C_API for the running interpreter, to which `state` belongs. A new reference, or
// nullptr with an exception.
PyObject* make_c_api(const core::ModuleState& state) noexcept;

// c_api.cpp: called when the interpreter to which `state` belongs ends.
void leave_c_api(const core::ModuleState& state) noexcept;

}  // namespace module
