// A memory that Python code names: the number of a process, or the segments of a core file.

#pragma once

#include <memory>

#include "inspect/memory.hpp"
#include "inspect/offsets.hpp"
#include "interpreter/versions/cpython.hpp"
#include "stackful/heap.hpp"

namespace inspect {

class Source {
public:
    // `named` is an integer, or a list of tuples (begin, end, file descriptor, offset) in the order of addresses. False
    // with an exception.
    bool open(PyObject* named) noexcept;

    Memory& memory() noexcept { return memory_; }

    // Reads the table that is at an address. False with an exception if there is none that this build can follow.
    bool read_table(Address address, Offsets& table) noexcept;

private:
    bool read_segments(PyObject* list) noexcept;

    std::unique_ptr<Segment[], stackful::DestroyArray> segments_;
    Memory memory_;
};

}  // namespace inspect
