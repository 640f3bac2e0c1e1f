#include "interpreter/frames/link.hpp"

#include <frameobject.h>

namespace interpreter {

bool LinkLooks::make(PyThreadState* ts) noexcept {
    if (!links_frames) {
        return true;
    }
    if (code == nullptr) {
        code = reinterpret_cast<PyObject*>(PyCode_NewEmpty("<greenlet>", "(resumed by)", 1));
    }
    if (code != nullptr && frame == nullptr) {
        PyObject* globals = PyDict_New();
        if (globals != nullptr) {
            frame = reinterpret_cast<PyObject*>(PyFrame_New(ts, reinterpret_cast<PyCodeObject*>(code), globals, nullptr));
            Py_DECREF(globals);
        }
    }
    return frame != nullptr;
}

}  // namespace interpreter
