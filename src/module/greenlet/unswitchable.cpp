// UnswitchableGreenlet, for tests: a greenlet whose switches fail on request.

#include "core/switch.hpp"
#include "module/parts.hpp"
#include "python/define.hpp"

namespace module {

namespace {

using core::Fault;

constexpr int error_closure = 0;
constexpr int fatal_closure = 1;

Fault fault_of(void* closure) noexcept { return closure == &error_closure ? Fault::error : Fault::fatal_error; }

PyObject* get_fault(PyObject* self, void* closure) {
    return PyBool_FromLong(core::as_greenlet(self)->pimpl->fault == fault_of(closure));
}

int set_fault(PyObject* self, PyObject* value, void* closure) {
    int set = value != nullptr ? PyObject_IsTrue(value) : 0;
    if (set < 0) {
        return -1;
    }
    Fault& fault = core::as_greenlet(self)->pimpl->fault;
    if (set) {
        fault = fault_of(closure);
    }
    else if (fault == fault_of(closure)) {
        fault = Fault::none;
    }
    return 0;
}

// Skips the short way, which does not check for faults.
PyObject* switch_slowly(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    return core::switch_to(core::as_greenlet(self), core::Message{args, count, names});
}

PyMethodDef methods[] = {
    {"switch", python::as_method(switch_slowly), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {},
};

PyGetSetDef attributes[] = {
    {"force_switch_error", get_fault, set_fault, "True if switches to the greenlet raise SystemError.",
     const_cast<int*>(&error_closure)},
    {"force_slp_switch_error", get_fault, set_fault, "True if switches to the greenlet end the process.",
     const_cast<int*>(&fatal_closure)},
    {},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("A greenlet whose switches fail on request. For tests.")},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};

PyType_Spec spec = {"greenlet._greenlet.UnswitchableGreenlet", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

}  // namespace

PyObject* make_unswitchable_type(PyObject* greenlet_type) noexcept {
    return PyType_FromSpecWithBases(&spec, greenlet_type);
}

}  // namespace module
