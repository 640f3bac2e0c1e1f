// What records the switches of an interpreter's threads.
//
// core calls a hook at each switch while a recording runs. The hook writes a record with the numbers of the two
// greenlets, which it gives them when it first sees them, into the ring. A number is never used again in a recording,
// while an address may be. In the child of a fork the hook does nothing: the file belongs to the parent.

#pragma once

#include <atomic>

#include "core/layer.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"
#include "inspect/recording/names.hpp"
#include "inspect/recording/ring.hpp"
#include "interpreter/threading/lock.hpp"

namespace inspect::recording {

class Recorder {
public:
    Recorder() noexcept = default;
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;
    ~Recorder() { ring_.close(0); }

    // Begins to record into a file, which gets this size. The number of the recording, or 0 with RuntimeError or
    // OSError.
    unsigned start(core::ModuleState& module, int descriptor, std::size_t size) noexcept;

    // Ends a recording. False if it has ended already, or is the parent's in the child of a fork.
    bool stop(core::ModuleState& module, unsigned number) noexcept;

private:
    static void on_switch(core::Thread& thread, core::SwitchEvent event, PyObject* origin, bool is_exception) noexcept;

    bool is_of_this_process() const noexcept;
    bool knows(const core::Mark& mark) const noexcept { return mark.period == period_; }
    core::Mark new_mark(std::uint16_t name) noexcept { return {++last_number_, name, period_}; }
    std::uint16_t number_of(core::Reference name) noexcept;
    void meet(core::Thread& thread, std::uint16_t name = 0) noexcept;
    void meet(core::Activation& activation) noexcept;
    core::Mark mark_of(PyGreenlet* g) noexcept;
    void begin(core::Thread& thread, std::uint16_t name = 0) noexcept;
    void write(core::Thread& thread, core::Mark origin, core::Mark target, unsigned flags) noexcept;
    void write_switch(core::Thread& thread, PyGreenlet* origin, unsigned flags) noexcept;

    interpreter::Lock lock_;                              // held while a record is written
    interpreter::SharedValue<std::uint16_t> period_ = 0;  // the number of the recording
    unsigned forks_ = 0;                                  // how often the process had been forked when it began
    std::uint32_t last_number_ = 0;                       // of a greenlet
    std::uint32_t last_thread_ = 0;
    Ring ring_;
    Names names_;
};

inline constexpr core::Layer<Recorder> layer{3};

}  // namespace inspect::recording
