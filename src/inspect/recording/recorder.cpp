#include "inspect/recording/recorder.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include "core/describe.hpp"
#include "core/thread_list.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackful/first_use.hpp"

namespace inspect::recording {

using core::Activation;
using core::Mark;
using core::ModuleState;
using core::Reference;
using core::SwitchEvent;
using core::Thread;
using core::ThreadList;
using interpreter::Holding;

namespace {

// How often the process, and those it was forked from, have been forked.
std::atomic<unsigned> forks{0};

void count_forks() noexcept {
    static constinit stackful::FirstUse<bool> once;
    once.value([]() noexcept {
        stackful::system::at_fork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
        return true;
    });
}

// The number of the name "", which is the first name of each recording: a main greenlet's, and a thread's that has
// none. A greenlet that has no name, or one for which there is no room, has the number 0.
constexpr std::uint16_t no_name = 1;

}  // namespace

bool Recorder::is_of_this_process() const noexcept { return forks_ == forks.load(std::memory_order_relaxed); }

// --- names and numbers -----------------------------------------------------------------------------------------------

std::uint16_t Recorder::number_of(Reference name) noexcept {
    interpreter::PendingException in_flight;
    Py_ssize_t length = 0;
    const char* characters = name ? PyUnicode_AsUTF8AndSize(name.get(), &length) : nullptr;
    PyErr_Clear();
    return length > 0 ? names_.number_of({characters, static_cast<std::size_t>(length)}, ring_) : 0;
}

// Without a name, that follows when the thread switches, because finding it may run code.
void Recorder::meet(Thread& thread, std::uint16_t name) noexcept {
    thread.mark = {++last_thread_, name, period_};
    thread.last_mark = {};
    thread.last_started = thread.started;
}

[[gnu::noinline]] void Recorder::meet(Activation& activation) noexcept {
    bool is_main = core::is_main(activation.greenlet);
    activation.mark = new_mark(is_main ? no_name : number_of(core::name_of_function(activation.greenlet)));
}

// A greenlet that has finished, and was not seen before, gets a number that is not noted.
[[gnu::noinline]] Mark Recorder::mark_of(PyGreenlet* g) noexcept {
    Activation* activation = g->pimpl->activation;
    if (activation == nullptr) {
        return new_mark(0);
    }
    if (!knows(activation->mark)) {
        meet(*activation);
    }
    return activation->mark;
}

// --- recording -------------------------------------------------------------------------------------------------------

inline void Recorder::write(Thread& thread, Mark origin, Mark target, unsigned flags) noexcept {
    thread.last_mark = target;
    thread.last_started = thread.started;
    ring_.append({.time = now(),
                  .origin = origin.number,
                  .target = target.number,
                  .thread = thread.mark.number,
                  .origin_name = origin.name,
                  .target_name = target.name,
                  .thread_name = thread.mark.name,
                  .flags = static_cast<std::uint16_t>(flags),
                  .unused = 0});
}

inline void Recorder::write_switch(Thread& thread, PyGreenlet* origin, unsigned flags) noexcept {
    Mark from = knows(thread.last_mark) ? thread.last_mark : mark_of(origin);
    Mark to{};
    Activation* activation = thread.current->pimpl->activation;
    if (activation != nullptr) [[likely]] {
        bool starts = thread.started != thread.last_started;  // nothing arrives between the two
        if (starts || !knows(activation->mark)) [[unlikely]] {
            flags |= starts ? target_starts : 0;
            meet(*activation);
        }
        to = activation->mark;
    }
    flags |= origin->pimpl->phase == core::Phase::finished ? origin_finished : 0;
    write(thread, from, to, flags);
}

void Recorder::begin(Thread& thread, std::uint16_t name) noexcept {
    meet(thread, name);
    write(thread, {}, mark_of(thread.current), thread_begins);
}

void Recorder::on_switch(Thread& thread, SwitchEvent event, PyObject* origin, bool is_exception) noexcept {
    Recorder& self = layer.of(*thread.module);
    if (!self.is_of_this_process()) [[unlikely]] {
        return;
    }
    Reference name;
    bool is_named = self.knows(thread.mark) && thread.mark.name != 0;
    if (!is_named && event == SwitchEvent::switched) [[unlikely]] {
        name = core::plain_name_of(thread);  // before the lock is held, because it may run code
    }
    Holding holding(self.lock_);
    if (!self.ring_.is_open()) [[unlikely]] {
        return;
    }
    if (!self.knows(thread.mark)) [[unlikely]] {
        self.meet(thread);
    }
    if (!is_named && event == SwitchEvent::switched) [[unlikely]] {
        thread.mark.name = std::max(self.number_of(std::move(name)), no_name);
    }
    switch (event) {
        case SwitchEvent::switched:
            self.write_switch(thread, core::as_greenlet(origin), is_exception ? is_throw : 0);
            break;
        case SwitchEvent::thread_begins:
            self.begin(thread);
            break;
        case SwitchEvent::thread_ends:
            self.write(thread, thread.last_mark, {}, thread_ends);
            break;
    }
}

// --- start and end ---------------------------------------------------------------------------------------------------

unsigned Recorder::start(ModuleState& module, int descriptor, std::size_t size) noexcept {
    Thread* own = Thread::running();
    if (own == nullptr) {
        return 0;
    }
    Reference own_name = core::plain_name_of(*own);  // before the lock is held
    count_forks();
    if (!is_of_this_process()) {  // a recording of the parent; another of its threads may have held the lock
        ring_.close(0);
        new (&lock_) interpreter::Lock;
    }
    Ring ring;
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = ring.open(descriptor, size);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        errno = error;
        PyErr_SetFromErrno(PyExc_OSError);
        return 0;
    }
    Holding holding(lock_);
    if (ring_.is_open()) {
        holding.release();
        ring.close(0);
        PyErr_SetString(PyExc_RuntimeError, "switches are being recorded already");
        return 0;
    }
    ring_ = ring;
    forks_ = forks.load(std::memory_order_relaxed);
    std::uint16_t period = static_cast<std::uint16_t>(period_ + 1);
    period_ = period != 0 ? period : std::uint16_t{1};
    last_number_ = last_thread_ = 0;
    names_.clear();
    names_.number_of("", ring_);
    ring_.begin();
    ThreadList::set_switch_hook(module, on_switch);
    begin(*own, number_of(std::move(own_name)));
    if constexpr (interpreter::has_gil) {
        for (const core::ThreadPlace* place = ThreadList::first(); place != nullptr; place = place->next) {
            Thread* thread = place->module == &module ? place->thread.load() : nullptr;
            if (thread != nullptr && thread != own && thread->thread_state != nullptr) {
                begin(*thread);
            }
        }
    }
    return period_;
}

bool Recorder::stop(ModuleState& module, unsigned number) noexcept {
    if (!is_of_this_process()) {
        return false;
    }
    Holding holding(lock_);
    if (!ring_.is_open() || period_ != number) {
        return false;
    }
    ThreadList::set_switch_hook(module, nullptr);
    ring_.close(now());
    return true;
}

}  // namespace inspect::recording
