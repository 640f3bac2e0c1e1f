#include "stackful/system/threads_windows.hpp"

#include <cerrno>
#include <cstdlib>
#include <new>

#include "stackful/system/windows_header.hpp"

namespace stackful::system {

namespace {

SRWLOCK* as_lock(void** native) noexcept { return reinterpret_cast<SRWLOCK*>(native); }
static_assert(sizeof(SRWLOCK) == sizeof(void*));

struct ThreadStart {
    NativeThread::Body body;
    void* argument;
};

DWORD WINAPI run_thread(void* passed) noexcept {
    ThreadStart start = *static_cast<ThreadStart*>(passed);
    std::free(passed);
    start.body(start.argument);
    return 0;
}

}  // namespace

void Mutex::lock() noexcept { ::AcquireSRWLockExclusive(as_lock(&native_)); }
void Mutex::unlock() noexcept { ::ReleaseSRWLockExclusive(as_lock(&native_)); }

ThreadValue::ThreadValue(void (*destructor)(void*)) noexcept : index_(::FlsAlloc(destructor)) {
    static_assert(none == FLS_OUT_OF_INDEXES);
}

void* ThreadValue::get() const noexcept { return index_ != none ? ::FlsGetValue(index_) : nullptr; }
bool ThreadValue::set(void* value) const noexcept { return index_ != none && ::FlsSetValue(index_, value); }

int NativeThread::start(Body body, void* argument) noexcept {
    void* memory = std::malloc(sizeof(ThreadStart));
    if (memory == nullptr) {
        return ENOMEM;
    }
    auto* start = new (memory) ThreadStart{body, argument};
    handle_ = ::CreateThread(nullptr, 0, run_thread, start, 0, &number_);
    if (handle_ == nullptr) {
        std::free(start);
        return EAGAIN;
    }
    return 0;
}

bool NativeThread::is_running_one() const noexcept { return ::GetCurrentThreadId() == number_; }

void NativeThread::join() noexcept {
    ::WaitForSingleObject(handle_, INFINITE);
    detach();
}

void NativeThread::detach() noexcept { ::CloseHandle(handle_); }

std::int64_t process_id() noexcept { return static_cast<std::int64_t>(::GetCurrentProcessId()); }

std::int64_t monotonic_time() noexcept {
    constexpr std::int64_t second = 1'000'000'000;
    LARGE_INTEGER frequency;
    LARGE_INTEGER count;
    ::QueryPerformanceFrequency(&frequency);
    ::QueryPerformanceCounter(&count);
    // In two parts, because the product would overflow after some hours.
    return count.QuadPart / frequency.QuadPart * second +
           count.QuadPart % frequency.QuadPart * second / frequency.QuadPart;
}

std::int64_t date() noexcept {
    constexpr std::int64_t unit = 100;
    constexpr std::int64_t units_until_1970 = 116'444'736'000'000'000;  // since 1601
    FILETIME time;
    ::GetSystemTimePreciseAsFileTime(&time);
    return ((static_cast<std::int64_t>(time.dwHighDateTime) << 32 | time.dwLowDateTime) - units_until_1970) * unit;
}

}  // namespace stackful::system
