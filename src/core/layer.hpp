// What a layer above core keeps: a record of each interpreter, and an object of each thread that uses it. Core stores
// and releases them without knowing what they are.
//
// A layer defines one constant of this type, with a number that no other layer has:
//
//     inline constexpr core::Layer<Record> layer{0};

#pragma once

#include "core/module_state.hpp"
#include "stackful/heap.hpp"

namespace core {

template <class Record>
struct Layer {
    unsigned number;  // below layer_count

    // The interpreter's record, which ensure() has made.
    Record& of(const ModuleState& state) const noexcept { return *static_cast<Record*>(state.layers[number].record); }

    // The interpreter's record, made by the first call. Its destructor releases what it owns. nullptr with MemoryError.
    Record* ensure(ModuleState& state) const noexcept {
        LayerRecord& place = state.layers[number];
        if (place.record == nullptr) {
            place = {new (stackful::heap) Record{},
                     [](void* record) noexcept { stackful::destroy(static_cast<Record*>(record)); }};
        }
        if (place.record == nullptr) {
            PyErr_NoMemory();
        }
        return static_cast<Record*>(place.record);
    }
};

}  // namespace core
