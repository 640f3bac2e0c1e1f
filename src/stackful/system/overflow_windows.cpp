// Reports of overflows by a handler of exceptions.
//
// When a stack is extended down to its last pages, Windows makes these accessible and raises an exception on the same
// stack. Handlers have that room. ensure_signal_stack() asks for more than the page or two that there is otherwise.

#include "stackful/system/windows_header.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "stackful/mutex.hpp"
#include "stackful/overflow.hpp"
#include "stackful/pool.hpp"

namespace stackful {

namespace {

std::atomic<OverflowReport> wanted_report{nullptr};
constinit Mutex installing;
void* installed = nullptr;

LONG CALLBACK on_exception(EXCEPTION_POINTERS* exception) noexcept {
    OverflowReport report = wanted_report.load(std::memory_order_acquire);
    if (report != nullptr && exception->ExceptionRecord->ExceptionCode == EXCEPTION_STACK_OVERFLOW) {
        const Slot* slot = StackPool::shared().slot_holding(reinterpret_cast<void*>(exception->ContextRecord->Rsp));
        if (slot != nullptr) {
            report(*slot);
        }
    }
    return EXCEPTION_CONTINUE_SEARCH;
}

}  // namespace

bool report_overflows(OverflowReport report) noexcept {
    std::lock_guard lock(installing);
    wanted_report.store(report, std::memory_order_release);
    if (report != nullptr && installed == nullptr) {
        installed = ::AddVectoredExceptionHandler(1, on_exception);
        return installed != nullptr;
    }
    if (report == nullptr && installed != nullptr) {
        ::RemoveVectoredExceptionHandler(installed);
        installed = nullptr;
    }
    return true;
}

// It holds for every stack that the thread runs on.
bool ensure_signal_stack() noexcept {
    constexpr ULONG wanted = ULONG{16} << 10;
    ULONG bytes = 0;
    ::SetThreadStackGuarantee(&bytes);  // asks only
    bytes = std::max(bytes, wanted);
    return ::SetThreadStackGuarantee(&bytes) != 0;
}

}  // namespace stackful
