#include "interpreter/frames/monitoring.hpp"

#if (defined(Py_DEBUG) && PY_VERSION_HEX >= 0x030D0000) || PY_VERSION_HEX >= 0x030F0000

#include "interpreter/frames/frame.hpp"
#include "interpreter/pending_exception.hpp"

namespace interpreter {

namespace {

// A number that changes whenever the events do.
std::uintptr_t events_version(PyThreadState* ts) noexcept {
    constexpr std::uintptr_t flags = 0xff;
    return ts->eval_breaker & ~flags;
}

void adapt_all_frames(PyObject* restart_events) noexcept {
    if (restart_events == Py_None) {
        return;
    }
    PendingException in_flight;
    Py_XDECREF(PyObject_CallNoArgs(restart_events));
    PyErr_Clear();
}

template <class Predicate>
bool any_code(PyThreadState* ts, Predicate predicate) noexcept {
    for (const Frame* frame = ts->current_frame; frame != nullptr; frame = frame->previous) {
        if (frame->owner <= FRAME_OWNED_BY_FRAME_OBJECT && predicate(code_of(frame))) {
            return true;
        }
    }
    return false;
}

}  // namespace

PyObject* find_restart_events() noexcept {
    PyObject* sys = PyImport_ImportModule("sys");
    PyObject* monitoring = sys != nullptr ? PyObject_GetAttrString(sys, "monitoring") : nullptr;
    PyObject* found = monitoring != nullptr ? PyObject_GetAttrString(monitoring, "restart_events") : nullptr;
    Py_XDECREF(monitoring);
    Py_XDECREF(sys);
    if (found == nullptr && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return Py_NewRef(Py_None);
    }
    return found;
}

#ifdef Py_DEBUG
void adapt_frames(PyThreadState* ts, State&, PyObject* restart_events) noexcept {
    std::uintptr_t version = events_version(ts);
    if (any_code(ts, [version](const PyCodeObject* code) { return code->_co_instrumentation_version != version; })) {
        adapt_all_frames(restart_events);
    }
}
#else
void adapt_unprepared_frames(PyThreadState* ts, State& state, PyObject* restart_events) noexcept {
    std::uintptr_t version = events_version(ts);
    bool is_known = state.events_version == version;
    // Code that is called while a callback runs is not adapted, so the next switch has to look again.
    state.events_version = ts->tracing > 0 ? 0 : version;
    if (!is_known && any_code(ts, [](const PyCodeObject* code) { return code->_co_monitoring == nullptr; })) {
        adapt_all_frames(restart_events);
    }
}
#endif

}  // namespace interpreter

#endif
