// The class of schedulers. Python code does not see it.

#include "python/define.hpp"
#include "stackless/hooks.hpp"
#include "stackless/thread_end.hpp"
#include "stackless/types/types.hpp"

namespace stackless {

namespace {

void finalize(PyObject* self) {
    Scheduler& s = *as_scheduler(self);
    if (s.thread != nullptr) {
        end_thread(s);
    }
}

void deallocate(PyObject* self) {
    Scheduler& s = *as_scheduler(self);
    if (s.wake_up != nullptr) {
        PyThread_release_lock(s.wake_up);
        PyThread_free_lock(s.wake_up);
    }
    clear_hooks(s.shared_hooks);
    core::ModuleState* module = s.module;
    python::free_instance(self);
    module->unref();
}

PyType_Slot slots[] = {
    {Py_tp_finalize, reinterpret_cast<void*>(finalize)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet._greenlet.Scheduler", sizeof(Scheduler), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots,
};

}  // namespace

PyObject* make_scheduler_type() noexcept { return PyType_FromSpec(&spec); }

}  // namespace stackless
