#include "core/describe.hpp"

#include "interpreter/frames/frame_object.hpp"
#include "interpreter/modules.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/plain_attribute.hpp"
#include "interpreter/thread_state.hpp"

namespace core {

namespace {

PyObject* text(const char* characters) noexcept { return PyUnicode_FromString(characters); }

// The innermost function of a suspended greenlet and its current line, as a str; None if there is no frame.
Reference place_of(PyGreenlet* g) noexcept {
    Reference frame = Reference::steal(reinterpret_cast<PyObject*>(
        interpreter::innermost_frame_object(interpreter::current_thread_state(), g->pimpl->activation->state)));
    if (!frame) {
        return PyErr_Occurred() ? Reference() : Reference::borrow(Py_None);
    }
    auto* object = reinterpret_cast<PyFrameObject*>(frame.get());
    Reference code = Reference::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(object)));
    auto* named = reinterpret_cast<PyCodeObject*>(code.get());
    return Reference::steal(
        PyUnicode_FromFormat("in %U at %U:%d", named->co_qualname, named->co_filename, PyFrame_GetLineNumber(object)));
}

}  // namespace

Reference name_of(PyObject* callable) noexcept {
    while (PyMethod_Check(callable)) {
        callable = PyMethod_GET_FUNCTION(callable);
    }
    if (PyFunction_Check(callable)) {
        return Reference::borrow(reinterpret_cast<PyFunctionObject*>(callable)->func_qualname);
    }
    if (PyCFunction_Check(callable)) {
        return Reference::steal(text(reinterpret_cast<PyCFunctionObject*>(callable)->m_ml->ml_name));
    }
    PyTypeObject* type = PyType_Check(callable) ? reinterpret_cast<PyTypeObject*>(callable) : Py_TYPE(callable);
    return Reference::steal(text(type->tp_name));
}

bool shows_frames(const PyGreenlet* g) noexcept {
    PyThreadState* of_greenlet = g->pimpl->thread->thread_state;
    return interpreter::has_gil || of_greenlet == nullptr || of_greenlet == interpreter::current_thread_state();
}

Reference work_of(PyGreenlet* g) noexcept {
    const Greenlet& greenlet = *g->pimpl;
    Reference run;
    if (greenlet.activation == nullptr) {
        run = Reference::steal(interpreter::SharedReference(as_object(g), g->pimpl->run).get());
    }
    else if (shows_frames(g)) {
        run = Reference::borrow(greenlet.activation->run);
    }
    if (!run) {
        return Reference::steal(text(""));
    }
    Reference name = name_of(run.get());
    bool is_suspended = name && greenlet.activation != nullptr && greenlet.thread->current != g;
    Reference place = is_suspended ? place_of(g) : Reference::borrow(Py_None);
    if (!name || !place) {
        return {};
    }
    bool has_place = place.get() != Py_None;
    return Reference::steal(PyUnicode_FromFormat(has_place ? "; runs %U, %U" : "; runs %U", name.get(), place.get()));
}

std::size_t stack_bytes_in_use(const PyGreenlet* g) noexcept {
    const Activation& activation = *g->pimpl->activation;
    auto* top = static_cast<std::byte*>(g->pimpl->execution.context.stack_pointer);
    if (activation.slot != nullptr) {
        return activation.slot->has_on_stack(top) ? static_cast<std::size_t>(activation.slot->stack_base() - top) : 0;
    }
    if (g->pimpl->thread->thread_state != interpreter::current_thread_state()) {
        return 0;
    }
    stackful::system::Bounds stack = stackful::system::thread_stack();
    return stack.holds(top) ? static_cast<std::size_t>(stack.base - top) : 0;
}

Reference layers_function_of(const PyGreenlet* g) noexcept {
    const ModuleState& module = *g->pimpl->thread->module;
    return Reference::steal(module.find_function != nullptr ? module.find_function(module, *g->pimpl->activation)
                                                            : nullptr);
}

Reference name_of_function(PyGreenlet* g) noexcept {
    interpreter::PendingException in_flight;
    Reference function = layers_function_of(g);
    PyObject* run = g->pimpl->activation->run;
    if (!function && run != nullptr && PyMethod_Check(run) && PyMethod_GET_SELF(run) == as_object(g)) {
        function = Reference::steal(interpreter::plain_attribute(as_object(g), "_run"));  // of gevent's greenlets
    }
    if (!function) {
        function = Reference::borrow(run);
    }
    Reference name = function ? name_of(function.get()) : Reference();
    PyErr_Clear();
    return name;
}

Reference plain_name_of(const Thread& thread) noexcept {
    interpreter::PendingException in_flight;
    Reference known = Reference::steal(interpreter::thread_object(thread.identity));
    Reference found = Reference::steal(known ? PyObject_GetAttrString(known.get(), "_name") : nullptr);
    PyErr_Clear();
    return found && PyUnicode_CheckExact(found.get()) ? std::move(found) : Reference();
}

Reference name_of(const Thread& thread) noexcept {
    interpreter::PendingException in_flight;
    Reference name = plain_name_of(thread);
    return Reference::steal(name ? PyUnicode_FromFormat("%R (%lu)", name.get(), thread.identity)
                                 : PyUnicode_FromFormat("number %lu", thread.identity));
}

}  // namespace core
