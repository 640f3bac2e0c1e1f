#include "inspect/system/calls.hpp"

#include "stackful/system/windows_header.hpp"

namespace inspect::system {

std::size_t collect_calls(std::span<std::uintptr_t> addresses) noexcept {
    CONTEXT context;
    ::RtlCaptureContext(&context);
    std::size_t count = 0;
    while (count < addresses.size()) {
        DWORD64 image;
        RUNTIME_FUNCTION* entry = ::RtlLookupFunctionEntry(context.Rip, &image, nullptr);
        if (entry == nullptr) {  // a function without a frame, which has called nothing: only the innermost one is that
            break;
        }
        void* handler_data;
        DWORD64 frame;
        ::RtlVirtualUnwind(UNW_FLAG_NHANDLER, image, context.Rip, entry, &context, &handler_data, &frame, nullptr);
        if (context.Rip == 0) {
            break;
        }
        addresses[count++] = context.Rip;
    }
    return count;
}

// Windows knows the names of exported functions only, so none is given.
Place place_of(std::uintptr_t address) noexcept {
    constexpr DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    static char path[4 * MAX_PATH];
    HMODULE module = nullptr;
    if (!::GetModuleHandleExW(flags, reinterpret_cast<const wchar_t*>(address), &module)) {
        return {};
    }
    wchar_t name[MAX_PATH];
    DWORD length = ::GetModuleFileNameW(module, name, MAX_PATH);
    int bytes = ::WideCharToMultiByte(CP_UTF8, 0, name, static_cast<int>(length), path, sizeof path - 1, nullptr,
                                      nullptr);
    path[bytes] = '\0';
    return {nullptr, bytes > 0 ? path : nullptr, reinterpret_cast<std::uintptr_t>(module)};
}

}  // namespace inspect::system
