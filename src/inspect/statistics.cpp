#include "inspect/statistics.hpp"

#include <cstdlib>

#include "core/reference.hpp"
#include "core/thread_list.hpp"
#include "interpreter/collector.hpp"
#include "stackful/usage.hpp"

namespace inspect {

namespace {

using core::ModuleState;
using core::Reference;
using core::Thread;

struct Counts {
    unsigned long identity;
    bool has_ended;
    std::size_t started;
    std::size_t finished;
    std::uint64_t switches;
    std::size_t free_stacks;

    // The counts of a running thread are off by what it does meanwhile.
    static Counts of(const Thread& thread) noexcept {
        return {thread.identity, thread.thread_state == nullptr, thread.started, thread.ended,
                thread.switches, thread.stacks.count()};
    }

    PyObject* as_tuple() const noexcept {
        return Py_BuildValue("(kOnnKn)", identity, has_ended ? Py_True : Py_False, started, finished,
                             static_cast<unsigned long long>(switches), free_stacks);
    }
};

}  // namespace

PyObject* thread_counts(PyObject*, PyObject*) noexcept {
    ModuleState* module = ModuleState::of_interpreter();
    if (module == nullptr) {
        return nullptr;
    }
    std::size_t size = 0;
    core::ThreadList::for_each(*module, [&](const Thread&) { ++size; });
    auto* counts = static_cast<Counts*>(std::malloc((size + 1) * sizeof(Counts)));
    if (counts == nullptr) {
        return PyErr_NoMemory();
    }
    std::size_t found = 0;
    core::ThreadList::for_each(*module, [&](const Thread& thread) {
        if (found < size) {
            counts[found++] = Counts::of(thread);
        }
    });
    interpreter::CollectorPaused paused;
    Reference list = Reference::steal(PyList_New(static_cast<Py_ssize_t>(found)));
    for (std::size_t i = 0; list && i < found; ++i) {
        PyObject* item = counts[i].as_tuple();
        if (item == nullptr) {
            list = Reference();
            break;
        }
        PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), item);
    }
    std::free(counts);
    return list.release();
}

PyObject* stack_usage(PyObject*, PyObject*) noexcept {
    stackful::Usage usage{};
    Py_BEGIN_ALLOW_THREADS
    usage = stackful::measure_usage(stackful::StackPool::shared());
    Py_END_ALLOW_THREADS
    auto wide = [](std::size_t number) { return static_cast<unsigned long long>(number); };
    return Py_BuildValue("(KKKKKK)", wide(usage.slots), wide(usage.slots_in_use), wide(usage.reserved_bytes),
                         wide(usage.resident_bytes), wide(usage.table_bytes), wide(usage.deepest_bytes));
}

}  // namespace inspect
