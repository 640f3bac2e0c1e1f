// _about(): what `python -m greenlet` shows of the process.

#include "core/reference.hpp"
#include "core/settings.hpp"
#include "interpreter/versions/cpython.hpp"
#include "module/parts.hpp"
#include "stackful/context.hpp"
#include "stackful/layout.hpp"
#include "stackful/limits.hpp"

namespace module {

namespace {

using core::Reference;
using stackful::SlotLayout;
namespace system = stackful::system;

// {variable: (its text, True if it is valid)}; None instead of the tuple for a variable that is not set.
Reference environment() noexcept {
    Reference dict = Reference::steal(PyDict_New());
    for (const core::Variable& variable : core::environment()) {
        Reference value = Reference::borrow(Py_None);
        if (variable.text != nullptr) {
            PyObject* text = PyUnicode_DecodeFSDefault(variable.text);
            value = Reference::steal(Py_BuildValue("(NO)", text, variable.is_understood ? Py_True : Py_False));
        }
        if (!dict || !value || PyDict_SetItemString(dict.get(), variable.name, value.get()) < 0) {
            return {};
        }
    }
    return dict;
}

const char* guard_name() noexcept {
    return system::preferred_guard() == system::Guard::marked ? "MADV_GUARD_INSTALL" : "mprotect";
}

}  // namespace

PyObject* about(PyObject*, PyObject*) {
    std::size_t page_size = system::page_size();
    SlotLayout layout = SlotLayout::for_stack(core::stack_size(), page_size);
    std::size_t limit = system::stack_limit();
    Reference variables = environment();
    if (!variables) {
        return nullptr;
    }
    bool commits_at_once = system::preferred_commit() == system::Commit::at_once;
    return Py_BuildValue("{s:s,s:n,s:N,s:n,s:n,s:n,s:n,s:s,s:s,s:O}", "switch", stackful::switch_name, "stack_size",
                         layout.stack_bytes, "stack_limit", limit != 0 ? PyLong_FromSize_t(limit) : Py_NewRef(Py_None),
                         "default_stack_size", stackful::default_stack_size(), "guard_size", layout.guard_bytes,
                         "slot_size", layout.size, "page_size", page_size, "guards", guard_name(), "memory",
                         commits_at_once ? "at_once" : "when_needed", "environment", variables.get());
}

}  // namespace module
