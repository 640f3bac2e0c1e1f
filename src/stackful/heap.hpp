// Objects on the heap of the C library, without the C++ library's operators: an extension module that needs no
// libstdc++ runs on systems with any version of it.
//
//     auto* region = new (heap) Region;    // nullptr if there is no memory
//     destroy(region);

#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

#include "stackful/system/aligned_memory.hpp"

namespace stackful {

struct Heap {};
inline constexpr Heap heap;

// Ends the life of an object that `new (heap)` made, and frees its memory. It may be nullptr.
template <class Object>
void destroy(Object* object) noexcept {
    if (object != nullptr) {
        std::destroy_at(object);
        auto* memory = const_cast<std::remove_const_t<Object>*>(object);
        if constexpr (alignof(Object) > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
            system::free_aligned(memory);
        }
        else {
            std::free(memory);
        }
    }
}

// For std::unique_ptr<Object, Destroy>.
struct Destroy {
    template <class Object>
    void operator()(Object* object) const noexcept {
        destroy(object);
    }
};

// For std::unique_ptr<Object[], DestroyArray>: objects without a destructor.
struct DestroyArray {
    template <class Object>
    void operator()(Object* objects) const noexcept {
        static_assert(std::is_trivially_destructible_v<Object> && alignof(Object) <= alignof(std::max_align_t));
        std::free(objects);
    }
};

}  // namespace stackful

inline void* operator new(std::size_t size, stackful::Heap) noexcept { return std::malloc(size); }
inline void* operator new(std::size_t size, std::align_val_t alignment, stackful::Heap) noexcept {
    return stackful::system::allocate_aligned(size, static_cast<std::size_t>(alignment));
}
inline void* operator new[](std::size_t size, stackful::Heap) noexcept { return std::malloc(size); }

// The compiler wants these beside them. They are called if a constructor throws, and none does.
inline void operator delete(void* memory, stackful::Heap) noexcept { std::free(memory); }
inline void operator delete(void* memory, std::align_val_t, stackful::Heap) noexcept {
    stackful::system::free_aligned(memory);
}
inline void operator delete[](void* memory, stackful::Heap) noexcept { std::free(memory); }
