// Objects with memory of ours behind them.
//
// From 3.12 on an object can be allocated together with more than its class asks for, which saves an allocation. The class
// stays as small as its clients were compiled for.

#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "interpreter/versions/cpython.hpp"
#include "stackful/tools.hpp"

namespace interpreter {

// Up to 3.11 an allocation may make the garbage collector run, and that destructors which use whatever it is for. Not while
// there is one of these: then the next allocation after it may.
class CollectorPaused {
public:
    CollectorPaused(const CollectorPaused&) = delete;
    CollectorPaused& operator=(const CollectorPaused&) = delete;
#if PY_VERSION_HEX < 0x030C0000
    CollectorPaused() noexcept : was_enabled_(PyGC_Disable()) {}
    ~CollectorPaused() {
        if (was_enabled_) {
            PyGC_Enable();
        }
    }

private:
    int was_enabled_;
#else
    CollectorPaused() noexcept {}
    ~CollectorPaused() {}
#endif
};

// Builds that look for errors keep nothing that was freed, so that its use is found.
#if defined(Py_GIL_DISABLED) || defined(Py_DEBUG)
inline constexpr bool keeps_freed_memory = false;
#else
inline constexpr bool keeps_freed_memory = !stackful::tools::watch_freed_memory;
#endif

// The bytes of an object that has an Extra behind its class's part.
template <class Object, class Extra>
inline constexpr std::size_t size_with_extra = sizeof(Object) + sizeof(Extra);

#if PY_VERSION_HEX >= 0x030C0000

// A new object of exactly `type`, not yet tracked by the garbage collector, all zero behind its header, with an `Extra` that is
// all zero behind its class's part. nullptr with an exception if memory ran out.
template <class Object, class Extra>
Object* new_with_extra(PyTypeObject* type) noexcept {
    return reinterpret_cast<Object*>(PyUnstable_Object_GC_NewWithExtraData(type, sizeof(Extra)));
}

// The memory behind an object of new_with_extra(), of which Object is the class's part.
template <class Extra, class Object>
Extra* extra_of(Object* object) noexcept {
    static_assert(sizeof(Object) % alignof(Extra) == 0);
    return reinterpret_cast<Extra*>(object + 1);
}

// Memory for an Extra whose object was not made by new_with_extra(). nullptr if there is none, without an exception.
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

// There is none.
template <class Extra, class Object>
Extra* extra_of(Object*) noexcept {
    return nullptr;
}

// Every object needs one, so some are kept for the next ones. All interpreters of a process share a GIL.
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

// Lets go of a deallocated object's reference to its class. Free-threaded CPython lets each thread count those that it makes
// by itself, so that threads do not contend for the class; what is let go of is to be counted there too.
inline void drop_class(PyTypeObject* type) noexcept {
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
    auto& counts = reinterpret_cast<_PyThreadStateImpl*>(PyThreadState_GetUnchecked())->refcounts;
    // 0 is no id: then the class is counted as other objects are.
    std::size_t index = static_cast<std::size_t>(reinterpret_cast<PyHeapTypeObject*>(type)->unique_id) - 1;
    if (index < static_cast<std::size_t>(counts.size)) {
        counts.values[index]--;
        return;
    }
#endif
    Py_DECREF(type);
}

// Deallocated objects of one class, kept for the next ones: to allocate and free one takes longer than all else in the making of
// a greenlet. They are an interpreter's own, and used with its GIL.
class SpareObjects {
public:
    SpareObjects() noexcept = default;
    SpareObjects(const SpareObjects&) = delete;
    ~SpareObjects() {
        while (count_ > 0) {
            PyObject_GC_Del(objects_[--count_]);
        }
    }

    // An object of `type`, the class of those that are kept. It is not yet tracked by the garbage collector, and all zero behind its
    // header. nullptr if there is none.
    PyObject* take(PyTypeObject* type) noexcept { return count_ > 0 ? PyObject_Init(objects_[--count_], type) : nullptr; }

    // Takes over an object of `bytes`, header and extra data included, that is to be freed. False if it can't be kept.
    bool keep(PyObject* object, std::size_t bytes) noexcept {
        // A finalizer is called once in the life of an object, and the header tells.
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
