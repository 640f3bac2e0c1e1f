#include "python/define.hpp"

namespace python {

PyObject* add_namespace(PyObject* module, const char* name, const char* real_name, PyMethodDef* functions) noexcept {
    PyObject* names = PyModule_New(real_name);
    if (names == nullptr || PyModule_AddFunctions(names, functions) < 0 ||
        PyModule_AddObjectRef(module, name, names) < 0) {
        Py_XDECREF(names);
        return nullptr;
    }
    return names;
}

}  // namespace python
