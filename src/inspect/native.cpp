#include "inspect/native.hpp"

#include <dlfcn.h>
#include <unwind.h>

#include "core/reference.hpp"
#include "core/thread.hpp"
#include "inspect/argument.hpp"

namespace inspect {

namespace {

using core::Reference;

// The return addresses of calls, innermost first.
struct Calls {
    static constexpr std::size_t most = 1000;

    std::uintptr_t addresses[most];
    std::size_t count = 0;

    static _Unwind_Reason_Code add(_Unwind_Context* context, void* calls) {
        auto& self = *static_cast<Calls*>(calls);
        std::uintptr_t address = _Unwind_GetIP(context);
        if (self.count == most || address == 0) {
            return _URC_END_OF_STACK;
        }
        self.addresses[self.count++] = address;
        return _URC_NO_REASON;
    }

    static void* collect(void* calls) {
        _Unwind_Backtrace(add, calls);
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
    Dl_info found{};
    bool is_known = ::dladdr(reinterpret_cast<void*>(address - 1), &found) != 0;  // in the call, not after it
    const void* base = !is_known ? nullptr : found.dli_sname != nullptr ? found.dli_saddr : found.dli_fbase;
    std::uintptr_t offset = address - reinterpret_cast<std::uintptr_t>(base);
    return Py_BuildValue("(zzK)", is_known ? found.dli_sname : nullptr, is_known ? found.dli_fname : nullptr,
                         static_cast<unsigned long long>(offset));
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
