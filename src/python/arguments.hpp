// Arguments that Python code passes to functions written in C++.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace python {

// Sets the TypeError that check_count() raises.
[[gnu::cold]] void refuse_count(const char* function, Py_ssize_t count, Py_ssize_t least, Py_ssize_t most) noexcept;

// True if a function that takes `least` to `most` positional arguments is given `count`. False with a TypeError
// otherwise.
inline bool check_count(const char* function, Py_ssize_t count, Py_ssize_t least, Py_ssize_t most) noexcept {
    if (least <= count && count <= most) [[likely]] {
        return true;
    }
    refuse_count(function, count, least, most);
    return false;
}

// PyArg_ParseTupleAndKeywords() with constant names, which end with nullptr. False with an exception.
template <class... Places>
bool parse(PyObject* args, PyObject* keywords, const char* format, const char* const* names,
           Places... places) noexcept {
    return PyArg_ParseTupleAndKeywords(args, keywords, format, const_cast<char**>(names), places...) != 0;
}

}  // namespace python
