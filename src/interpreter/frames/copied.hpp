// CPython 3.11 to 3.15: what copied bytes of a thread state, a frame, a code object or a string say.
//
// The bytes were copied from a process that may be another one, so no address in them is dereferenced here, and each
// may be wrong. `Read` is a function bool(address, place, size), which copies more.

#pragma once

#include "interpreter/frames/frame.hpp"
#include "interpreter/state.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // GCC supports it for all of our classes

namespace interpreter {

using Address = std::uintptr_t;

inline Address as_address(const volatile void* pointer) noexcept { return reinterpret_cast<Address>(pointer); }

// Where a thread state has its fields, and where a State has those that it saves. Up to 3.12 the innermost frame is
// found through a `cframe`.
struct CopiedPlaces {
#if PY_VERSION_HEX >= 0x030D0000
    static constexpr bool frame_is_in_cframe = false;
    static constexpr std::size_t cframe_frame = 0;
    static constexpr std::size_t thread_frame = offsetof(PyThreadState, current_frame);
    static constexpr std::size_t state_frame = offsetof(State, calls.frame);
#else
    static constexpr bool frame_is_in_cframe = true;
    static constexpr std::size_t cframe_frame = offsetof(_PyCFrame, current_frame);
    static constexpr std::size_t thread_frame = offsetof(PyThreadState, cframe);
    static constexpr std::size_t state_frame = offsetof(State, calls.cframe);
#endif
    static constexpr std::size_t thread_chunk = offsetof(PyThreadState, datastack_chunk);
    static constexpr std::size_t thread_native = offsetof(PyThreadState, native_thread_id);
    static constexpr std::size_t state_chunk = offsetof(State, datastack_chunk);
    static constexpr std::size_t state_link = offsetof(State, link);
    static constexpr std::size_t state_suspensions = offsetof(State, suspensions);
    static constexpr std::size_t link_frame = Link::place_of_frame();
    static constexpr std::size_t chunk_previous = offsetof(_PyStackChunk, previous);
};

// True if the frame is of a function that has begun, which Python code can see.
inline bool is_of_function(const Frame& copied) noexcept { return copied.owner <= FRAME_OWNED_BY_FRAME_OBJECT; }

inline Address previous_of(const Frame& copied) noexcept { return as_address(copied.previous); }

// The instruction at which a frame is.
inline Address instruction_of(const Frame& copied) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return as_address(copied.instr_ptr);
#else
    return as_address(copied.prev_instr);
#endif
}

// How many bytes of instructions of the code come before the one that the frame is at. Negative before the first one.
// False if the frame is not of the code. `code` is a copy of the code object that is at `place`.
template <class Read>
bool offset_in_code(const Frame& copied, const PyCodeObject& code, Address place, std::ptrdiff_t& offset, Read read) {
    Address begin = place + offsetof(PyCodeObject, co_code_adaptive);
#if PY_VERSION_HEX >= 0x030E0000 && defined(Py_GIL_DISABLED)
    // Each thread may have a copy of the instructions.
    Address entry = as_address(code.co_tlbc) + offsetof(_PyCodeArray, entries) +
                    static_cast<Address>(copied.tlbc_index) * sizeof(void*);
    if (copied.tlbc_index != 0 && !read(entry, &begin, sizeof begin)) {
        return false;
    }
#else
    (void)read;
#endif
    offset = static_cast<std::ptrdiff_t>(instruction_of(copied) - begin);
    return offset >= -static_cast<std::ptrdiff_t>(sizeof(_Py_CODEUNIT)) &&
           offset < static_cast<std::ptrdiff_t>(code.ob_base.ob_size * sizeof(_Py_CODEUNIT));
}

// True if a frame of a call has not begun to run its function, so that tracebacks leave it out.
inline bool is_before_function(const Frame& copied, const PyCodeObject& code, std::ptrdiff_t offset) noexcept {
    return copied.owner != FRAME_OWNED_BY_GENERATOR &&
           offset < static_cast<std::ptrdiff_t>(code._co_firsttraceable * sizeof(_Py_CODEUNIT));
}

// Where the characters of a string are.
struct TextPlace {
    Address begin;
    unsigned bytes_each;
    std::size_t length;
};

// False if the object at `place`, of which `copied` is the head, has its characters elsewhere.
inline bool locate_text(const PyASCIIObject& copied, Address place, TextPlace& text) noexcept {
    text.begin = place + (copied.state.ascii ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject));
    text.bytes_each = copied.state.kind;
    text.length = static_cast<std::size_t>(copied.length);
    return copied.state.compact && copied.length >= 0;
}

}  // namespace interpreter

#pragma GCC diagnostic pop
