#include "inspect/native.hpp"

#include "core/reference.hpp"
#include "core/thread.hpp"
#include "inspect/argument.hpp"
#include "inspect/system/calls.hpp"

namespace inspect {

namespace {

using core::Reference;

// The return addresses of calls, innermost first.
struct Calls {
    static constexpr std::size_t most = 1000;

    std::uintptr_t addresses[most];
    std::size_t count = 0;

    static void* collect(void* calls) {
        auto& self = *static_cast<Calls*>(calls);
        self.count = system::collect_calls(self.addresses);
        return calls;
    }
};

// False if the greenlet's stack can't be walked from here.
bool collect(const PyGreenlet* g, Calls& calls) noexcept {
    const core::Thread* running = core::Thread::known();
    if (!core::is_active(g) || core::is_of_ended_thread(g)) {
        return false;
    }
    if (g->pimpl->thread->current == g) {
        return g->pimpl->thread == running && Calls::collect(&calls) != nullptr;
    }
    // Without a GIL its thread may resume it at any moment.
    bool stays = interpreter::has_gil || g->pimpl->thread == running;
    return stays && stackful::call_beside(g->pimpl->execution, Calls::collect, &calls) != nullptr;
}

// (function or None, file or None, offset)
PyObject* describe(std::uintptr_t address) noexcept {
    system::Place place = system::place_of(address - 1);  // in the call, not after it
    std::uintptr_t offset = address - place.base;
    return Py_BuildValue("(zzK)", place.function, place.file, static_cast<unsigned long long>(offset));
}

}  // namespace

PyObject* native_stack(PyObject*, PyObject* object) noexcept {
    const PyGreenlet* g = greenlet_in(object);
    if (g == nullptr) {
        return nullptr;
    }
    Calls calls;
    if (!collect(g, calls)) {
        Py_RETURN_NONE;
    }
    Reference list = Reference::steal(PyList_New(0));
    for (std::size_t i = 0; list && i < calls.count; ++i) {
        Reference item = Reference::steal(describe(calls.addresses[i]));
        if (!item || PyList_Append(list.get(), item.get()) < 0) {
            return nullptr;
        }
    }
    return list.release();
}

}  // namespace inspect
