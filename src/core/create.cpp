#include "core/create.hpp"

#include <new>

#include "interpreter/allocation.hpp"
#include "interpreter/collector.hpp"

namespace core {

namespace {

// Sets the pimpl of a new object. False with MemoryError; the object is released then.
bool give_implementation(PyGreenlet* g) noexcept {
    void* memory = interpreter::allocate_extra<Greenlet>();
    if (memory == nullptr) {
        Py_DECREF(g);
        PyErr_NoMemory();
        return false;
    }
    g->pimpl = new (memory) Greenlet{};
    return true;
}

// A new unstarted greenlet of the class itself, which the garbage collector does not track yet. nullptr with
// MemoryError.
inline PyGreenlet* create_plain(ModuleState& module) noexcept {
    PyGreenlet* g = as_greenlet(module.spare_greenlets.take(module.greenlet_type));
    if (g == nullptr) {
        interpreter::CollectorPaused paused;
        g = interpreter::new_with_extra<PyGreenlet, Greenlet>(module.greenlet_type);
    }
    if (g == nullptr) {
        return nullptr;
    }
    g->pimpl = interpreter::extra_of<Greenlet>(g);  // all zero, which stands for unstarted
    return g->pimpl != nullptr || give_implementation(g) ? g : nullptr;
}

}  // namespace

PyGreenlet* create(PyTypeObject* type, Thread& thread) noexcept {
    bool is_plain = type == thread.module->greenlet_type;
    PyGreenlet* g;
    if (is_plain) {
        g = create_plain(*thread.module);
    }
    else {
        interpreter::CollectorPaused paused;
        g = as_greenlet(PyBaseObject_Type.tp_new(type, thread.module->no_arguments, nullptr));
        g = g != nullptr && give_implementation(g) ? g : nullptr;
    }
    if (g == nullptr) {
        return nullptr;
    }
    g->pimpl->parent = as_greenlet(Py_NewRef(as_object(thread.current)));
    if (is_plain) {
        PyObject_GC_Track(as_object(g));
    }
    return g;
}

PyGreenlet* create_main(Thread& thread) noexcept {
    PyGreenlet* g = create_plain(*thread.module);
    if (g == nullptr) {
        return nullptr;
    }
    thread.main_activation.greenlet = g;
    thread.share();
    thread.module->main_greenlets += 1;
    *g->pimpl = Greenlet{.thread = &thread,
                         .activation = &thread.main_activation,
                         .execution = {},
                         .context = nullptr,
                         .phase = Phase::active,
                         .fault = Fault::none,
                         .role = Role::main,
                         .parent = nullptr,
                         .run = nullptr};
    PyObject_GC_Track(as_object(g));
    return g;
}

}  // namespace core
