#include "interpreter/frames/early_release.hpp"

#include "interpreter/frames/value_stack.hpp"
#include "interpreter/versions/calls.hpp"

namespace interpreter {

bool find_python_call() noexcept {
    PyObject* globals = PyDict_New();
    auto* code = reinterpret_cast<PyObject*>(PyCode_NewEmpty("greenlet", "function", 1));
    PyObject* function = globals != nullptr && code != nullptr ? PyFunction_New(code, globals) : nullptr;
    if (function != nullptr) {
        python_call = reinterpret_cast<PyFunctionObject*>(function)->vectorcall;
    }
    Py_XDECREF(function);
    Py_XDECREF(code);
    Py_XDECREF(globals);
    return function != nullptr;
}

PyObject* take_caller_s_argument(PyThreadState* ts, PyObject* const* args, PyCFunction called) noexcept {
    Frame* frame = Calls::running_frame(ts);
    bool is_python = frame != nullptr && frame->owner <= FRAME_OWNED_BY_GENERATOR;
    Value* place = is_python ? place_of_only_argument(frame, args, called) : nullptr;
    return place != nullptr ? exchange_for_none(*place) : Py_NewRef(args[0]);
}

}  // namespace interpreter
