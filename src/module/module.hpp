// The parts of the extension module, one file each.

#pragma once

#include "core/module_state.hpp"

namespace module {

// greenlet/: the class greenlet.greenlet. A new reference, or nullptr with an exception.
PyObject* make_greenlet_type() noexcept;

// `run`, `parent` as greenlet.greenlet() takes them: nullptr where one is not given. 0, or -1 with an exception.
int initialize(PyObject* self, PyObject* run, PyObject* parent) noexcept;

// g.throw(), once the arguments are told apart. nullptr where one is not given.
PyObject* throw_into(PyObject* self, PyObject* type, PyObject* value, PyObject* traceback) noexcept;

// greenlet/unswitchable.cpp: the class that the tests of failing switches use.
PyObject* make_unswitchable_type(PyObject* greenlet_type) noexcept;

// functions.cpp: getcurrent().
PyObject* get_current() noexcept;

// about.cpp: the function _about(), for `python -m greenlet`.
PyObject* about(PyObject* module, PyObject*);

// functions.cpp: the functions of the module.
extern PyMethodDef functions[];

// The one that only some versions of CPython have a meaning for.
extern PyMethodDef trash_nesting_function[];

// c_api.cpp: the capsule greenlet._C_API for the running interpreter, whose state it is. A new reference, or nullptr with an exception.
PyObject* make_c_api(const core::ModuleState& state) noexcept;

// c_api.cpp: the interpreter whose state it is ends.
void leave_c_api(const core::ModuleState& state) noexcept;

}  // namespace module
