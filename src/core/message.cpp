#include "core/message.hpp"

#include "core/reference.hpp"

namespace core {

PyObject* as_value(const Message& message, ModuleState& module) noexcept {
    if (message.is_exception) {
        return nullptr;
    }
    Py_ssize_t names = message.keyword_names != nullptr ? PyTuple_GET_SIZE(message.keyword_names) : 0;
    Reference keywords;
    if (names > 0) {
        keywords = Reference::steal(PyDict_New());
        for (Py_ssize_t i = 0; keywords && i < names; ++i) {
            if (PyDict_SetItem(keywords.get(), PyTuple_GET_ITEM(message.keyword_names, i),
                               message.arguments[message.positional + i]) < 0) {
                return nullptr;
            }
        }
        if (!keywords) {
            return nullptr;
        }
    }
    else if (message.keywords != nullptr && PyDict_GET_SIZE(message.keywords) > 0) {
        keywords = Reference::borrow(message.keywords);
    }
    if (message.positional == 0) {
        return keywords ? keywords.release() : Py_NewRef(module.no_arguments);
    }
    if (message.positional == 1 && !keywords) {
        return Py_NewRef(message.arguments[0]);
    }
    Reference positional = Reference::steal(PyTuple_New(message.positional));
    if (!positional) {
        return nullptr;
    }
    for (Py_ssize_t i = 0; i < message.positional; ++i) {
        PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(message.arguments[i]));
    }
    return keywords ? PyTuple_Pack(2, positional.get(), keywords.get()) : positional.release();
}

}  // namespace core
