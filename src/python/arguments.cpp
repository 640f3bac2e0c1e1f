#include "python/arguments.hpp"

namespace python {

void refuse_count(const char* function, Py_ssize_t count, Py_ssize_t least, Py_ssize_t most) noexcept {
    if (most == 0) {
        PyErr_Format(PyExc_TypeError, "%s() takes no arguments (%zd given)", function, count);
    }
    else if (least == 1 && most == 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes exactly one argument (%zd given)", function, count);
    }
    else if (least == 0) {
        const char* ending = most == 1 ? "" : "s";
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd argument%s (%zd given)", function, most, ending, count);
    }
    else {
        PyErr_Format(PyExc_TypeError, "%s() takes %zd to %zd arguments (%zd given)", function, least, most, count);
    }
}

}  // namespace python
