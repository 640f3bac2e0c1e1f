// A thread of its own, which Python code can't replace with a greenlet as gevent's monkey patching does, compares the
// threads' counts of switches now and then. It needs no GIL for that, so it notices a greenlet that keeps the GIL. It
// takes the GIL when there is something to tell.

#include "inspect/watch.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <new>
#include <span>

#include "core/reference.hpp"
#include "core/thread_list.hpp"
#include "python/arguments.hpp"
#include "stackful/heap.hpp"
#include "stackful/mutex.hpp"

namespace inspect {

namespace {

using core::ModuleState;
using core::Reference;
using core::Thread;
using std::chrono::nanoseconds;

// On the monotonic clock.
nanoseconds time_now() noexcept { return nanoseconds(stackful::system::monotonic_time()); }

// Ends the waits of threads, once and for all. It is a lock of CPython's that is held until then, because what C
// libraries have for waits by the monotonic clock differs.
class Stop {
public:
    Stop() noexcept {
        if (lock_ != nullptr) {
            PyThread_acquire_lock(lock_, WAIT_LOCK);
        }
    }
    ~Stop() {
        if (lock_ != nullptr) {
            PyThread_free_lock(lock_);
        }
    }
    Stop(const Stop&) = delete;
    Stop& operator=(const Stop&) = delete;

    // False if memory ran out.
    bool is_made() const noexcept { return lock_ != nullptr; }

    // Waits for so long, or for request(). True if that was called.
    bool wait(nanoseconds time) noexcept {
        auto microseconds = std::chrono::ceil<std::chrono::microseconds>(time).count();
        bool is_requested = PyThread_acquire_lock_timed(lock_, microseconds, 0) == PY_LOCK_ACQUIRED;
        if (is_requested) {
            PyThread_release_lock(lock_);  // for other threads
        }
        return is_requested;
    }

    void request() noexcept {
        if (!is_requested_.exchange(1)) {
            PyThread_release_lock(lock_);
        }
    }

private:
    PyThread_type_lock lock_ = PyThread_allocate_lock();
    std::atomic<int> is_requested_{0};  // not every processor can exchange a byte
};

// What was last seen of a thread.
struct Seen {
    const Thread* thread = nullptr;
    const void* current = nullptr;
    std::uint64_t switches = 0;
    unsigned long identity = 0;
    nanoseconds since{};
    bool is_told = false;

    nanoseconds age(nanoseconds now) const noexcept { return now - since; }
};

// A thread may run, and change the value, while it is read.
template <class Value>
Value read_racing(const Value& value) noexcept {
    return std::atomic_ref<Value>(const_cast<Value&>(value)).load(std::memory_order_relaxed);
}

class Watch {
public:
    Watch(const ModuleState& module, nanoseconds limit) noexcept : module_(module), limit_(limit) {}
    ~Watch() { std::free(seen_); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // Needs no GIL. False after stop().
    bool wait() noexcept {
        nanoseconds period = std::clamp<nanoseconds>(limit_ / 4, shortest_period, longest_period);
        for (nanoseconds pause{}; !stop_.wait(pause); pause = period) {
            if (look(time_now())) {
                return true;
            }
        }
        return false;
    }

    // Calls function(const Seen&, nanoseconds) for each thread that wait() found.
    template <class Function>
    bool tell(Function function) noexcept {
        nanoseconds now = time_now();
        for (Seen& each : std::span(seen_, count_)) {
            if (is_blocked(each, now)) {
                each.is_told = true;
                if (!function(each, each.age(now))) {
                    return false;
                }
            }
        }
        return true;
    }

    bool is_made() const noexcept { return stop_.is_made(); }
    void stop() noexcept { stop_.request(); }

    stackful::system::NativeThread thread;
    PyInterpreterState* interpreter = PyInterpreterState_Get();
    PyObject* function = nullptr;  // owned, until the thread takes over the reference
    PyObject* capsule = nullptr;   // the same; it owns the Watch
    // An int, because not every processor can exchange a byte.
    std::atomic<int> is_joined{0};
    std::int64_t process = stackful::system::process_id();

private:
    static constexpr nanoseconds shortest_period = std::chrono::milliseconds(1);
    static constexpr nanoseconds longest_period = std::chrono::seconds(1);

    bool is_blocked(const Seen& each, nanoseconds now) const noexcept {
        return each.thread != nullptr && !each.is_told && each.age(now) >= limit_;
    }

    // A thread that has ended, or has a single greenlet, keeps none waiting.
    static bool is_watched(const Thread& thread) noexcept {
        return read_racing(thread.active) != nullptr && thread.thread_state != nullptr;
    }

    // True if a thread has not switched for too long.
    bool look(nanoseconds now) noexcept {
        std::lock_guard lock(mutex_);
        std::size_t number = 0;
        bool found = false;
        core::ThreadList::for_each(module_, [&](const Thread& thread) {
            if (number < count_ && is_watched(thread)) {
                Seen& seen = seen_[number];
                const void* current = static_cast<PyGreenlet*>(thread.current);
                std::uint64_t switches = read_racing(thread.switches);
                if (seen.thread != &thread || seen.switches != switches || seen.current != current) {
                    seen = {&thread, current, switches, thread.identity, now, false};
                }
                found = found || is_blocked(seen, now);
            }
            else if (number < count_) {
                seen_[number] = {};
            }
            ++number;
        });
        std::for_each(seen_ + std::min(number, count_), seen_ + count_, [](Seen& each) { each = {}; });
        make_room(number);
        return found;
    }

    // For so many threads the next time.
    void make_room(std::size_t threads) noexcept {
        if (threads <= count_) {
            return;
        }
        if (void* memory = std::realloc(seen_, threads * sizeof(Seen))) {
            seen_ = static_cast<Seen*>(memory);
            std::for_each(seen_ + count_, seen_ + threads, [](Seen& each) { ::new (&each) Seen{}; });
            count_ = threads;
        }
    }

    const ModuleState& module_;
    const nanoseconds limit_;
    stackful::Mutex mutex_;
    Stop stop_;
    Seen* seen_ = nullptr;  // by the order of the list of threads
    std::size_t count_ = 0;
};

constexpr const char* capsule_name = "greenlet._greenlet.watch";

// nullptr with an exception if the object is something else.
Watch* watch_in(PyObject* object) noexcept { return static_cast<Watch*>(PyCapsule_GetPointer(object, capsule_name)); }

void release(PyObject* capsule) noexcept { stackful::destroy(watch_in(capsule)); }

// Calls the function in a new thread state of the interpreter.
void* run(void* argument) {
    auto& watch = *static_cast<Watch*>(argument);
    PyThreadState* ts = PyThreadState_New(watch.interpreter);
    if (ts == nullptr) {
        return nullptr;  // its references leak
    }
    PyEval_RestoreThread(ts);
    {
        Reference capsule = Reference::steal(watch.capsule);
        Reference function = Reference::steal(watch.function);
        Reference result = Reference::steal(PyObject_CallOneArg(function.get(), capsule.get()));
        if (!result) {
            PyErr_WriteUnraisable(function.get());
        }
    }
    PyThreadState_Clear(ts);
    PyThreadState_DeleteCurrent();
    return nullptr;
}

}  // namespace

PyObject* start_watch(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
    ModuleState* module = ModuleState::of_interpreter();
    if (module == nullptr || !python::check_count("_start_watch", count, 2, 2)) {
        return nullptr;
    }
    long long limit = PyLong_AsLongLong(args[0]);
    if (PyErr_Occurred()) {
        return nullptr;
    }
    auto* watch = new (stackful::heap) Watch(*module, nanoseconds(limit));
    if (watch == nullptr || !watch->is_made()) {
        stackful::destroy(watch);
        return PyErr_NoMemory();
    }
    Reference capsule = Reference::steal(PyCapsule_New(watch, capsule_name, release));
    if (!capsule) {
        stackful::destroy(watch);
        return nullptr;
    }
    watch->capsule = Py_NewRef(capsule.get());
    watch->function = Py_NewRef(args[1]);
    if (int error = watch->thread.start(run, watch)) {
        watch->is_joined = 1;
        Py_CLEAR(watch->capsule);
        Py_CLEAR(watch->function);
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return capsule.release();
}

PyObject* wait_for_blocks(PyObject*, PyObject* object) noexcept {
    Watch* watch = watch_in(object);
    if (watch == nullptr) {
        return nullptr;
    }
    bool found;
    Py_BEGIN_ALLOW_THREADS
    found = watch->wait();
    Py_END_ALLOW_THREADS
    if (!found) {
        Py_RETURN_NONE;
    }
    Reference list = Reference::steal(PyList_New(0));
    bool is_complete = list && watch->tell([&](const Seen& seen, nanoseconds age) {
        Reference item = Reference::steal(
            Py_BuildValue("(kNLK)", seen.identity, PyLong_FromVoidPtr(const_cast<void*>(seen.current)),
                          static_cast<long long>(age.count()), static_cast<unsigned long long>(seen.switches)));
        return item && PyList_Append(list.get(), item.get()) == 0;
    });
    return is_complete ? list.release() : nullptr;
}

PyObject* stop_watch(PyObject*, PyObject* object) noexcept {
    Watch* watch = watch_in(object);
    if (watch == nullptr) {
        return nullptr;
    }
    if (watch->process != stackful::system::process_id()) {
        Py_RETURN_NONE;  // the thread is not in the child of a fork
    }
    watch->stop();
    if (watch->is_joined.exchange(1)) {
        Py_RETURN_NONE;
    }
    if (watch->thread.is_running_one()) {
        watch->thread.detach();
    }
    else {
        Py_BEGIN_ALLOW_THREADS
        watch->thread.join();
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

}  // namespace inspect
