#include "inspect/system/calls.hpp"

#include <dlfcn.h>
#include <unwind.h>

namespace inspect::system {

namespace {

struct Found {
    std::span<std::uintptr_t> addresses;
    std::size_t count = 0;

    static _Unwind_Reason_Code add(_Unwind_Context* context, void* found) {
        auto& self = *static_cast<Found*>(found);
        std::uintptr_t address = _Unwind_GetIP(context);
        if (self.count == self.addresses.size() || address == 0) {
            return _URC_END_OF_STACK;
        }
        self.addresses[self.count++] = address;
        return _URC_NO_REASON;
    }
};

}  // namespace

std::size_t collect_calls(std::span<std::uintptr_t> addresses) noexcept {
    Found found{addresses};
    _Unwind_Backtrace(Found::add, &found);
    return found.count;
}

Place place_of(std::uintptr_t address) noexcept {
    Dl_info found{};
    if (::dladdr(reinterpret_cast<void*>(address), &found) == 0) {
        return {};
    }
    const void* base = found.dli_sname != nullptr ? found.dli_saddr : found.dli_fbase;
    return {found.dli_sname, found.dli_fname, reinterpret_cast<std::uintptr_t>(base)};
}

}  // namespace inspect::system
