#include "stackless/describe.hpp"

#include <array>
#include <utility>

#include "core/describe.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

// What is read while the lock is held, and described after it is released.
struct Observed {
    Reference function;  // empty if it has none
    Reference channel;   // the one it waits on; empty if it does not wait
    bool sends = false;
    bool is_main = false;
    const char* state = "";
};

const char* state_of(const Tasklet* t) noexcept {
    if (!is_alive_locked(t)) {
        return "not alive";
    }
    if (t->scheduler->current == t) {
        return "current";
    }
    return t->chain == Chain::runnable ? "runnable" : "paused";
}

// The lock is held.
Observed observe_locked(const Tasklet* t) noexcept {
    Observed seen;
    seen.function = Reference::borrow(t->function);
    seen.channel = Reference::borrow(t->chain == Chain::channel ? as_object(t->channel) : nullptr);
    seen.sends = t->sends;
    seen.is_main = t->is_main;
    seen.state = state_of(t);
    return seen;
}

Observed observe(const Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    return observe_locked(t);
}

Reference name_of(const Observed& seen) noexcept {
    return seen.function ? core::name_of(seen.function.get())
                         : Reference::steal(PyUnicode_FromString(seen.is_main ? "the main tasklet" : "nothing"));
}

// "f waits to receive on the channel at 0x...".
Reference waiting(const Observed& seen) noexcept {
    Reference name = name_of(seen);
    return Reference::steal(name ? PyUnicode_FromFormat("%U waits to %s the channel at %p", name.get(),
                                                        seen.sends ? "send on" : "receive from", seen.channel.get())
                                 : nullptr);
}

}  // namespace

PyObject* repr_of_tasklet(PyObject* self) {
    Observed seen = observe(as_tasklet(self));
    if (seen.channel) {
        Reference what = waiting(seen);
        return what ? PyUnicode_FromFormat("<%s object at %p: %U>", Py_TYPE(self)->tp_name, self, what.get()) : nullptr;
    }
    Reference name = name_of(seen);
    return name
               ? PyUnicode_FromFormat("<%s object at %p: %U, %s>", Py_TYPE(self)->tp_name, self, name.get(), seen.state)
               : nullptr;
}

PyObject* repr_of_channel(PyObject* self) {
    const auto& channel = *reinterpret_cast<const Channel*>(self);
    Py_ssize_t balance = channel.balance;
    const char* who = balance == 0  ? "nobody waits"
                      : balance > 0 ? "tasklets wait to send"
                                    : "tasklets wait to receive";
    return PyUnicode_FromFormat("<%s object at %p: balance %zd, %s%s>", Py_TYPE(self)->tp_name, self, balance, who,
                                channel.closing ? ", closing" : "");
}

Reference who_waits(const Scheduler& s) noexcept {
    constexpr std::size_t most = 10;
    std::array<Observed, most> seen;
    std::size_t count = 0;
    {
        Holding lock(tasklets_lock);
        for (const Tasklet* t = s.active.first(); t != nullptr; t = s.active.after(t)) {
            if (t->chain == Chain::channel) {
                if (count < most) {
                    seen[count] = observe_locked(t);
                }
                ++count;
            }
        }
    }
    Reference text = Reference::steal(PyUnicode_FromString(count > 0 ? " These wait: " : ""));
    for (std::size_t i = 0; text && i < count && i < most; ++i) {
        Reference next = waiting(seen[i]);
        text = Reference::steal(next ? PyUnicode_FromFormat(i > 0 ? "%U; %U" : "%U%U", text.get(), next.get())
                                     : nullptr);
    }
    if (text && count > 0) {
        text = Reference::steal(count > most ? PyUnicode_FromFormat("%U; and %zu more.", text.get(), count - most)
                                             : PyUnicode_FromFormat("%U.", text.get()));
    }
    if (!text) {
        PyErr_Clear();
    }
    return text;
}

PyObject* find_function(const core::ModuleState& module, const core::Activation& activation) noexcept {
    const State& state = layer.of(module);
    if (activation.run != state.run_tasklet) {
        return nullptr;
    }
    const auto* scheduler = as_scheduler(layer_object(*activation.greenlet->pimpl->thread).object);
    Holding lock(tasklets_lock);
    const Tasklet* current = scheduler != nullptr ? scheduler->current : nullptr;
    if (current != nullptr &&
        (current->greenlet == activation.greenlet || current->first_greenlet == activation.greenlet)) {
        return Py_XNewRef(current->function);
    }
    PyObject* owned = core::GcRoot::outermost(activation.gc_roots);
    bool is_tasklet = owned != nullptr && PyObject_TypeCheck(owned, state.tasklet_type);
    return is_tasklet ? Py_XNewRef(as_tasklet(owned)->function) : nullptr;
}

}  // namespace stackless
