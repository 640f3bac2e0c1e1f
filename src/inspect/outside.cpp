#include "inspect/outside.hpp"

#include <cerrno>
#include <memory>

#include "core/reference.hpp"
#include "inspect/signal_dump.hpp"
#include "inspect/source.hpp"
#include "inspect/system/system.hpp"
#include "inspect/walker.hpp"
#include "interpreter/frames/copied.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"
#include "stackful/heap.hpp"
#include "stackful/system/signals.hpp"

namespace inspect {

namespace {

using core::Reference;

PyObject* as_text(std::string_view text) noexcept {
    return PyUnicode_DecodeUTF8(text.data() != nullptr ? text.data() : "", static_cast<Py_ssize_t>(text.size()),
                                "replace");
}

const char* name_of(Reading reading) noexcept {
    return reading == Reading::right ? "right" : reading == Reading::running ? "running" : "changed";
}

// Makes the list that walk() returns. An exception ends the walk.
class ListMaker final : public Visitor {
public:
    ListMaker() noexcept : threads_(Reference::steal(PyList_New(0))) {}

    PyObject* take() noexcept { return PyErr_Occurred() ? nullptr : threads_.release(); }

    bool thread(const ThreadEntry& entry) noexcept override {
        greenlets_ = Reference::steal(PyList_New(0));
        missing_ = Reference::steal(PyList_New(0));
        if (!threads_ || !greenlets_ || !missing_) {
            return false;
        }
        PyObject* made = Py_BuildValue("(KkkKKKOOO)", static_cast<unsigned long long>(entry.address), entry.identity,
                                       entry.native_id, static_cast<unsigned long long>(entry.switches),
                                       static_cast<unsigned long long>(entry.started),
                                       static_cast<unsigned long long>(entry.ended),
                                       entry.has_ended ? Py_True : Py_False, greenlets_.get(), missing_.get());
        return append(threads_, made);
    }

    bool greenlet(const GreenletEntry& entry) noexcept override {
        Reference frames = frames_of(entry);
        if (!frames) {
            return false;
        }
        PyObject* made = Py_BuildValue(
            "(KKKKOOOsNNOn)", static_cast<unsigned long long>(entry.address),
            static_cast<unsigned long long>(entry.parent), static_cast<unsigned long long>(entry.resumer),
            static_cast<unsigned long long>(entry.stack_pointer), entry.is_current ? Py_True : Py_False,
            entry.is_main ? Py_True : Py_False, entry.is_body ? Py_True : Py_False, name_of(entry.reading),
            as_text(entry.type_name), as_text(entry.label), frames.get(),
            static_cast<Py_ssize_t>(entry.frames->more()));
        return append(greenlets_, made);
    }

    bool incomplete() noexcept override { return append(missing_, Py_NewRef(Py_True)); }

private:
    static bool append(const Reference& list, PyObject* item) noexcept {
        Reference owned = Reference::steal(item);
        return owned && PyList_Append(list.get(), owned.get()) == 0;
    }

    static Reference frames_of(const GreenletEntry& entry) noexcept {
        const Frames& frames = *entry.frames;
        Reference made = Reference::steal(PyTuple_New(frames.end() - frames.begin()));
        Py_ssize_t i = 0;
        for (const FrameEntry& frame : frames) {
            PyObject* item = made ? Py_BuildValue("(NNi)", as_text(frame.file), as_text(frame.function), frame.line)
                                  : nullptr;
            if (item == nullptr) {
                return {};
            }
            PyTuple_SET_ITEM(made.get(), i++, item);
        }
        return made;
    }

    Reference threads_;
    Reference greenlets_;
    Reference missing_;
};

PyDoc_STRVAR(walk_doc,
"walk(source, table, /)\n--\n\n"
"Read the threads and greenlets of a process or a core file.\n\n"
"Parameters:\n"
"    source: the number of a process, or a list of tuples (begin, end, file descriptor, offset), which are\n"
"        the segments of a core file in the order of their addresses.\n"
"    table: the address of the table of offsets in that memory.\n"
"Returns:\n"
"    A list of threads, as tuples (address, identity, native number, switches, greenlets started and ended,\n"
"    whether it has ended, greenlets, a list that is empty if none are missing). Greenlets are tuples\n"
"    (address, parent, resumer, stack pointer, is current, is main, is a body, reading, type, label, frames,\n"
"    number of frames that are left out). The reading is 'right', 'running' or 'changed'. Frames are tuples\n"
"    (file, qualified name, line), the innermost first.\n"
"Raises:\n"
"    ValueError: there is no table at this address, or it is of another version.\n"
"    OSError: the memory can't be read.\n"
"    NotImplementedError: the system has no way to read the memory of another process.");

PyObject* walk(PyObject*, PyObject* args) {
    PyObject* named;
    unsigned long long address;
    Source source;
    Offsets table;
    if (!PyArg_ParseTuple(args, "OK:walk", &named, &address) || !source.open(named) ||
        !source.read_table(static_cast<Address>(address), table)) {
        return nullptr;
    }
    std::unique_ptr<Walker, stackful::Destroy> walker(new (stackful::heap) Walker(source.memory(), table));
    if (walker == nullptr) {
        return PyErr_NoMemory();
    }
    ListMaker maker;
    if (!walker->walk(maker) && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_OSError, "the list of threads can't be read");
    }
    return maker.take();
}

PyDoc_STRVAR(read_doc,
"read(source, address, size, /)\n--\n\n"
"Read memory of a process or a core file.\n\n"
"Parameters:\n"
"    source: as for walk().\n"
"    address: where to begin.\n"
"    size: in bytes.\n"
"Returns:\n"
"    The bytes, or None if not all of them are readable.\n"
"Raises:\n"
"    NotImplementedError: the system has no way to read the memory of another process.");

PyObject* read(PyObject*, PyObject* args) {
    PyObject* named;
    unsigned long long address;
    Py_ssize_t size;
    Source source;
    if (!PyArg_ParseTuple(args, "OKn:read", &named, &address, &size) || !source.open(named)) {
        return nullptr;
    }
    Reference bytes = Reference::steal(PyBytes_FromStringAndSize(nullptr, size));
    if (!bytes) {
        return nullptr;
    }
    bool is_read = source.memory().read(static_cast<Address>(address), PyBytes_AS_STRING(bytes.get()),
                                        static_cast<std::size_t>(size));
    return is_read ? bytes.release() : Py_NewRef(Py_None);
}

PyDoc_STRVAR(table_doc,
"table()\n--\n\n"
"Return the address and the bytes of this process's table of offsets.");

PyObject* table(PyObject*, PyObject*) {
    return Py_BuildValue("(Ky#)", static_cast<unsigned long long>(interpreter::as_address(&greenlet_offsets)),
                         reinterpret_cast<const char*>(&greenlet_offsets),
                         static_cast<Py_ssize_t>(sizeof greenlet_offsets));
}

bool check_signal(int signal) noexcept {
    if (stackful::system::signals().empty()) {
        PyErr_SetString(PyExc_NotImplementedError, "no process can send another one a signal on this system");
        return false;
    }
    if (!stackful::system::may_be_handled(signal)) {
        PyErr_Format(PyExc_ValueError, "greenlets can't be dumped on signal %d", signal);
        return false;
    }
    return true;
}

PyDoc_STRVAR(dump_on_signal_doc,
"dump_on_signal(signum, file, chain, /)\n--\n\n"
"Write all greenlets to a file descriptor when a signal arrives.");

PyObject* py_dump_on_signal(PyObject*, PyObject* args) {
    int signal, file, chains;
    if (!PyArg_ParseTuple(args, "iip:dump_on_signal", &signal, &file, &chains) || !check_signal(signal)) {
        return nullptr;
    }
    if (!dump_on_signal(signal, file, chains != 0)) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_dumping_on_signal_doc,
"stop_dumping_on_signal(signum, /)\n--\n\n"
"Set the previous handler of the signal. False if dump_on_signal() was not called for it.");

PyObject* py_stop_dumping_on_signal(PyObject*, PyObject* args) {
    int signal;
    if (!PyArg_ParseTuple(args, "i:stop_dumping_on_signal", &signal) || !check_signal(signal)) {
        return nullptr;
    }
    return PyBool_FromLong(stop_dumping_on_signal(signal));
}

PyMethodDef functions[] = {
    {"walk", walk, METH_VARARGS, walk_doc},
    {"read", read, METH_VARARGS, read_doc},
    {"table", table, METH_NOARGS, table_doc},
    {"dump_on_signal", py_dump_on_signal, METH_VARARGS, dump_on_signal_doc},
    {"stop_dumping_on_signal", py_stop_dumping_on_signal, METH_VARARGS, stop_dumping_on_signal_doc},
    {},
};

}  // namespace

int add_outside_to(PyObject* module) noexcept {
    Reference names = Reference::steal(
        python::add_namespace(module, "outside", "greenlet._greenlet.outside", functions));
    if (!names || PyModule_AddIntConstant(names.get(), "READS_OTHER_PROCESSES", system::reads_other_processes) < 0) {
        return -1;
    }
    dump_on_signal_from_environment();
    return 0;
}

}  // namespace inspect
