#include "inspect/source.hpp"

#include <cstring>

#include "inspect/system/system.hpp"
#include "interpreter/frames/copied.hpp"
#include "stackful/system/signals.hpp"
#include "stackful/system/threads.hpp"

namespace inspect {

namespace {

// Two builds of CPython with the same layout of structures: a release keeps it in all its patch releases.
bool is_like_this_build(const Offsets& table) noexcept {
    bool is_release = (PY_VERSION_HEX & 0xF0) == 0xF0 && (table.python_version & 0xF0) == 0xF0;
    bool is_same_version = is_release ? table.python_version >> 16 == PY_VERSION_HEX >> 16
                                      : table.python_version == PY_VERSION_HEX;
    return is_same_version && table.build == greenlet_offsets.build;
}

}  // namespace

bool Source::open(PyObject* named) noexcept {
    if (PyLong_Check(named)) {
        long process = PyLong_AsLong(named);
        if (process > 0 && process <= INT32_MAX) {
            if (process != stackful::system::process_id() && !system::reads_other_processes) {
                PyErr_Format(PyExc_NotImplementedError,
                             "the memory of another process can't be read on this system; "
                             "in that process, use greenlet.inspect.%s()",
                             stackful::system::signals().empty() ? "dump" : "dump_on_signal");
                return false;
            }
            memory_.open(static_cast<pid_t>(process));
            return true;
        }
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "the number of a process is positive");
        }
        return false;
    }
    if (!PyList_Check(named)) {
        PyErr_SetString(PyExc_TypeError, "neither the number of a process nor a list of segments");
        return false;
    }
    return read_segments(named);
}

bool Source::read_segments(PyObject* list) noexcept {
    auto count = static_cast<std::size_t>(PyList_GET_SIZE(list));
    segments_.reset(new (stackful::heap) Segment[count]);
    if (segments_ == nullptr) {
        PyErr_NoMemory();
        return false;
    }
    for (std::size_t i = 0; i < count; ++i) {
        unsigned long long begin, end;
        long long offset;
        int file;
        PyObject* item = PyList_GET_ITEM(list, static_cast<Py_ssize_t>(i));
        if (!PyTuple_Check(item) || !PyArg_ParseTuple(item, "KKiL", &begin, &end, &file, &offset)) {
            if (!PyErr_Occurred()) {
                PyErr_SetString(PyExc_TypeError, "a segment is a tuple");
            }
            return false;
        }
        segments_[i] = {static_cast<Address>(begin), static_cast<Address>(end), file, offset};
    }
    memory_.open(segments_.get(), count);
    return true;
}

bool Source::read_table(Address address, Offsets& table) noexcept {
    bool is_table = memory_.read(address, table) && std::memcmp(table.magic, table_magic, sizeof table_magic) == 0 &&
                    interpreter::as_address(table.self) == address;
    if (!is_table) {
        PyErr_SetString(PyExc_ValueError, "there is no table of greenlets at this address");
        return false;
    }
    if (table.version != table_version || table.size != sizeof(Offsets) || !is_like_this_build(table)) {
        PyErr_SetString(PyExc_ValueError, "the table is of another version of greenlet or of CPython");
        return false;
    }
    return true;
}

}  // namespace inspect
