#include "stackless/frames.hpp"

#include "interpreter/frames/frame_object.hpp"
#include "interpreter/thread_state.hpp"

namespace stackless {

PyFrameObject* innermost_frame(const Tasklet& t) noexcept {
    Scheduler* own = own_scheduler(t);
    if (!t.is_active || (own == nullptr && (!interpreter::has_gil || t.scheduler->thread == nullptr))) {
        return nullptr;
    }
    if (t.scheduler->current == &t) {
        auto* frame = own != nullptr ? PyEval_GetFrame() : nullptr;
        return reinterpret_cast<PyFrameObject*>(Py_XNewRef(reinterpret_cast<PyObject*>(frame)));
    }
    core::Greenlet& greenlet = *t.greenlet->pimpl;
    if (greenlet.activation == nullptr || greenlet.thread->current == t.greenlet) {
        return nullptr;
    }
    return interpreter::innermost_frame_object(interpreter::current_thread_state(), greenlet.activation->state);
}

}  // namespace stackless
