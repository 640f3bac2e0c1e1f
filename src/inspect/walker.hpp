// Reads the threads, greenlets and stacks of a process from its memory, while the process runs.
//
// Nothing is stopped and no lock is taken, so anything may change while it is read. What may be wrong is left out or
// marked. Nothing is allocated, so all of this works in a signal handler. A Walker is large: it should not lie on a
// stack.

#pragma once

#include <cstdint>
#include <string_view>

#include "inspect/copy.hpp"
#include "inspect/objects.hpp"
#include "inspect/offsets.hpp"
#include "inspect/stack_reader.hpp"

namespace inspect {

struct ThreadEntry {
    Address address;
    unsigned long identity;   // threading.get_ident()
    unsigned long native_id;  // that of the system; 0 if it is not known
    std::uint64_t switches;
    std::uint64_t started;  // how many greenlets, without the main one
    std::uint64_t ended;
    bool has_ended;  // the thread has, and has left greenlets
};

struct GreenletEntry {
    Address address;
    Address parent;
    Address resumer;        // of the body of a coroutine that runs; else 0
    Address stack_pointer;  // where the registers are, while suspended
    bool is_current;
    bool is_main;
    bool is_body;
    Reading reading;
    std::string_view type_name;
    std::string_view label;  // the name of what it runs
    const Frames* frames;
};

// What is done with each entry, which is valid during the call. False ends the walk.
class Visitor {
public:
    virtual bool thread(const ThreadEntry& entry) noexcept = 0;
    virtual bool greenlet(const GreenletEntry& entry) noexcept = 0;
    // The list of the thread's greenlets changed while it was read: some are missing.
    virtual bool incomplete() noexcept = 0;

protected:
    ~Visitor() = default;
};

class Walker {
public:
    Walker(Memory& memory, const Offsets& table) noexcept : memory_(memory), table_(table), stack_(memory, table) {}
    Walker(const Walker&) = delete;
    Walker& operator=(const Walker&) = delete;

    // Visits each thread, and after it its greenlets: the main one first, then the newest first. False if the memory
    // does not have the list of threads.
    bool walk(Visitor& visitor) noexcept;

private:
    enum class Place : std::uint8_t { active, passed, lost };

    bool visit_thread(Address place, Address thread, Visitor& visitor) noexcept;
    bool visit_active(Address thread, Visitor& visitor) noexcept;
    bool visit_greenlet(const Subject& subject, Visitor& visitor) noexcept;
    Place look_at(Subject& subject, Address& next) noexcept;
    bool read_greenlet(Address object) noexcept;

    Memory& memory_;
    const Offsets& table_;
    ThreadCopy thread_;
    ActivationCopy activation_;
    GreenletCopy greenlet_;
    Texts texts_;
    StackReader stack_;
};

}  // namespace inspect
