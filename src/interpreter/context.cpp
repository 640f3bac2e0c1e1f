#include "interpreter/context.hpp"

#include "interpreter/collector.hpp"

namespace interpreter {

bool make_context(PyThreadState* ts) noexcept {
    CollectorPaused paused;
    PyObject* context = PyContext_New();
    bool made = context != nullptr && PyContext_Enter(context) == 0;
    assert(!made || ts->context == context);
    (void)ts;
    Py_XDECREF(context);
    return made;
}

}  // namespace interpreter
