#include "core/coroutine/frames.hpp"

#include <utility>

#include "core/gc_root.hpp"
#include "core/reference.hpp"
#include "interpreter/frames/frame_object.hpp"
#include "interpreter/thread_state.hpp"

namespace core {

namespace {

using State = Coroutine::State;

// Without a GIL the thread that a coroutine belongs to may resume it at any moment. Only that thread looks into it.
// False with an exception if memory ran out.
bool may_look_into(const Coroutine& coroutine) noexcept {
    if (interpreter::has_gil) {
        return true;
    }
    const Thread* thread = Thread::running();
    return thread != nullptr && coroutine.owner.may_be(thread);
}

bool is_suspended(const PyGreenlet* g) noexcept { return is_active(g) && g->pimpl->thread->current != g; }

// The greenlet in which a suspended coroutine waits, or nullptr if there is nothing to show: the greenlet runs if
// another one has switched to it directly.
const PyGreenlet* waiting_greenlet(const Coroutine& coroutine) noexcept {
    if (!may_look_into(coroutine) || coroutine.state != State::suspended) {
        return nullptr;
    }
    const PyGreenlet* yielder = coroutine.yielder != nullptr ? coroutine.yielder : coroutine.body;
    return is_suspended(yielder) ? yielder : nullptr;
}

// The body of a coroutine that runs in this thread, else nullptr.
const PyGreenlet* running_body(const Coroutine& coroutine) noexcept {
    const Thread* thread = Thread::running();
    const PyGreenlet* body = coroutine.body;
    bool is_here = thread != nullptr && coroutine.owner.may_be(thread) && coroutine.state == State::running &&
                   body != nullptr && is_active(body) && body->pimpl->thread == thread;
    return is_here ? body : nullptr;
}

// Each of these is empty if there is no such frame, or with an exception if memory ran out.

Reference as_reference(PyFrameObject* frame) noexcept { return Reference::steal(reinterpret_cast<PyObject*>(frame)); }

Reference innermost_frame(const PyGreenlet* g) noexcept {
    PyThreadState* ts = interpreter::current_thread_state();
    return as_reference(is_suspended(g) ? interpreter::innermost_frame_object(ts, g->pimpl->activation->state)
                                        : PyThreadState_GetFrame(ts));
}

// The frames of a running body lead on to those of its resumer.
Reference outermost_frame(const PyGreenlet* body) noexcept {
    Reference frame = innermost_frame(body);
    const PyGreenlet* resumer = body->pimpl->resumer;
    Reference beyond = resumer != nullptr && is_suspended(resumer) ? innermost_frame(resumer) : Reference();
    while (frame && !PyErr_Occurred()) {
        Reference back = as_reference(PyFrame_GetBack(reinterpret_cast<PyFrameObject*>(frame.get())));
        if (!back || back.get() == beyond.get()) {
            break;
        }
        frame = std::move(back);
    }
    return PyErr_Occurred() ? Reference() : std::move(frame);
}

PyObject* or_none(Reference object) noexcept {
    return object || PyErr_Occurred() ? object.release() : Py_NewRef(Py_None);
}

}  // namespace

PyObject* frame_of(const Coroutine& coroutine) noexcept {
    if (const PyGreenlet* greenlet = waiting_greenlet(coroutine)) {
        return or_none(innermost_frame(greenlet));
    }
    const PyGreenlet* body = running_body(coroutine);
    return or_none(body != nullptr ? outermost_frame(body) : Reference());
}

PyObject* innermost_root(const Coroutine& coroutine) noexcept {
    const PyGreenlet* greenlet = waiting_greenlet(coroutine);
    const GcRoot* root = greenlet != nullptr ? greenlet->pimpl->activation->gc_roots : nullptr;
    return or_none(Reference::borrow(root != nullptr ? root->get() : nullptr));
}

}  // namespace core
