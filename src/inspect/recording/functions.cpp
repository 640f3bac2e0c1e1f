#include "inspect/recording/functions.hpp"

#include "inspect/recording/recorder.hpp"

namespace inspect::recording {

PyObject* start(PyObject*, PyObject* args) noexcept {
    int descriptor;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "in:_start_recording", &descriptor, &size)) {
        return nullptr;
    }
    if (size < static_cast<Py_ssize_t>(least_ring_size)) {
        PyErr_Format(PyExc_ValueError, "size must be at least %zu bytes", least_ring_size);
        return nullptr;
    }
    core::ModuleState* module = core::ModuleState::of_interpreter();
    Recorder* recorder = module != nullptr ? layer.ensure(*module) : nullptr;
    unsigned number = recorder != nullptr ? recorder->start(*module, descriptor, static_cast<std::size_t>(size)) : 0;
    return number != 0 ? PyLong_FromUnsignedLong(number) : nullptr;
}

PyObject* stop(PyObject*, PyObject* number) noexcept {
    unsigned long own = PyLong_AsUnsignedLong(number);
    core::ModuleState* module = !PyErr_Occurred() ? core::ModuleState::of_interpreter() : nullptr;
    Recorder* recorder = module != nullptr ? layer.ensure(*module) : nullptr;
    return recorder != nullptr ? PyBool_FromLong(recorder->stop(*module, static_cast<unsigned>(own))) : nullptr;
}

}  // namespace inspect::recording
