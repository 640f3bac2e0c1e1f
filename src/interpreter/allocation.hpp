// CPython 3.11 to 3.15: the memory of objects. An object may have an *extra* behind the part that its class describes,
// and deallocated objects are kept for the next ones.
//
// From 3.12 on CPython allocates an object together with its extra. The class keeps the size that its clients were
// compiled for. On 3.11 an extra is a second allocation.

#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "interpreter/versions/cpython.hpp"
#include "stackful/tools.hpp"

namespace interpreter {

// Builds that look for errors keep no freed memory, so that every use of it is detected.
#if defined(Py_GIL_DISABLED) || defined(Py_DEBUG)
inline constexpr bool keeps_freed_memory = false;
#else
inline constexpr bool keeps_freed_memory = !stackful::tools::watch_freed_memory;
#endif

// The bytes of an object together with its extra.
template <class Object, class Extra>
inline constexpr std::size_t size_with_extra = sizeof(Object) + sizeof(Extra);

#if PY_VERSION_HEX >= 0x030C0000

// A new object of exactly `type`, with an extra. All but the object's header is zero, and the garbage collector does
// not track it yet. nullptr with an exception if memory ran out.
template <class Object, class Extra>
Object* new_with_extra(PyTypeObject* type) noexcept {
    return reinterpret_cast<Object*>(PyUnstable_Object_GC_NewWithExtraData(type, sizeof(Extra)));
}

// The extra of an object that new_with_extra() made.
template <class Extra, class Object>
Extra* extra_of(Object* object) noexcept {
    static_assert(sizeof(Object) % alignof(Extra) == 0);
    return reinterpret_cast<Extra*>(object + 1);
}

// Memory for the extra of an object that new_with_extra() has not made. nullptr without an exception if memory ran out.
template <class Extra>
void* allocate_extra() noexcept {
    return PyObject_Malloc(sizeof(Extra));
}

template <class Extra>
void free_extra(void* memory) noexcept {
    PyObject_Free(memory);
}

#else

template <class Object, class Extra>
Object* new_with_extra(PyTypeObject* type) noexcept {
    Object* object = PyObject_GC_New(Object, type);
    if (object != nullptr) {
        std::memset(reinterpret_cast<PyObject*>(object) + 1, 0, sizeof(Object) - sizeof(PyObject));
    }
    return object;
}

// Always nullptr: new_with_extra() makes none.
template <class Extra, class Object>
Extra* extra_of(Object*) noexcept {
    return nullptr;
}

// Every object needs an extra, so some are kept for the next ones. On 3.11 all interpreters of a process share a GIL,
// which guards them.
template <class Extra>
struct SpareExtras {
    static constexpr std::size_t most = keeps_freed_memory ? 64 : 0;
    static inline std::array<void*, most> blocks;
    static inline std::size_t count = 0;
};

template <class Extra>
void* allocate_extra() noexcept {
    using Spare = SpareExtras<Extra>;
    return Spare::count > 0 ? Spare::blocks[--Spare::count] : PyObject_Malloc(sizeof(Extra));
}

template <class Extra>
void free_extra(void* memory) noexcept {
    using Spare = SpareExtras<Extra>;
    if (memory != nullptr && Spare::count < Spare::most) {
        Spare::blocks[Spare::count++] = memory;
    }
    else {
        PyObject_Free(memory);
    }
}

#endif

// Drops a deallocated object's reference to its class. In free-threaded CPython each thread counts its references to a
// class by itself, so that threads do not contend for the class. A dropped one has to be counted there too.
inline void drop_class(PyTypeObject* type) noexcept {
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
    auto& counts = reinterpret_cast<_PyThreadStateImpl*>(PyThreadState_GetUnchecked())->refcounts;
    // An id of 0 is none: the class is counted as other objects are.
    std::size_t index = static_cast<std::size_t>(reinterpret_cast<PyHeapTypeObject*>(type)->unique_id) - 1;
    if (index < static_cast<std::size_t>(counts.size)) {
        counts.values[index]--;
        return;
    }
#endif
    Py_DECREF(type);
}

// Deallocated objects of one class, kept for the next ones, because allocating and freeing take longer than everything
// else in making a greenlet. Each interpreter has its own, and uses them with its GIL.
class SpareObjects {
public:
    SpareObjects() noexcept = default;
    SpareObjects(const SpareObjects&) = delete;
    ~SpareObjects() {
        while (count_ > 0) {
            PyObject_GC_Del(objects_[--count_]);
        }
    }

    // An object of `type`, the class of the kept ones. All but its header is zero, and the garbage collector does not
    // track it yet. nullptr if none is kept.
    PyObject* take(PyTypeObject* type) noexcept {
        return count_ > 0 ? PyObject_Init(objects_[--count_], type) : nullptr;
    }

    // Takes over an object that would be freed, of so many bytes with its header and extra. False if it can't be kept.
    bool keep(PyObject* object, std::size_t bytes) noexcept {
        // The header says whether the finalizer was called, which happens once in the life of an object.
        if (count_ == std::size(objects_) || PyObject_GC_IsFinalized(object)) {
            return false;
        }
        std::memset(object + 1, 0, bytes - sizeof *object);
        objects_[count_++] = object;
        return true;
    }

private:
    static constexpr std::size_t most = keeps_freed_memory ? 64 : 0;
    std::array<PyObject*, most> objects_;
    std::size_t count_ = 0;
};

}  // namespace interpreter
