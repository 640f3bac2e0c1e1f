#include "inspect/objects.hpp"

#include <algorithm>

#include "interpreter/frames/copied.hpp"

namespace inspect {

namespace {

constexpr std::size_t at_once = 128;  // bytes copied in one step

unsigned long character_at(const unsigned char* place, unsigned bytes_each) noexcept {
    unsigned long character = place[0];
    for (unsigned i = 1; i < bytes_each; ++i) {
        character |= static_cast<unsigned long>(place[i]) << (8 * i);
    }
    return character;
}

bool is_character(unsigned long character) noexcept {
    bool is_surrogate = character >= 0xD800 && character < 0xE000;
    return character < 0x110000 && !is_surrogate;
}

template <class T>
bool read_field(Memory& memory, Address object, std::size_t offset, T& to) noexcept {
    return memory.read(object + offset, to);
}

}  // namespace

void Texts::encode(unsigned long character) noexcept {
    if (character < 0x80) {
        put(character >= ' ' && character != 0x7F ? character : '?');
        return;
    }
    if (!is_character(character)) {
        character = 0xFFFD;
    }
    if (character >= 0x10000) {
        put(0xF0 | character >> 18);
        put(0x80 | (character >> 12 & 0x3F));
    }
    else if (character >= 0x800) {
        put(0xE0 | character >> 12);
    }
    if (character >= 0x800) {
        put(0x80 | (character >> 6 & 0x3F));
    }
    else {
        put(0xC0 | character >> 6);
    }
    put(0x80 | (character & 0x3F));
}

std::string_view Texts::add(Memory& memory, Address characters, unsigned bytes_each, std::size_t length) noexcept {
    if (is_full() || (bytes_each != 1 && bytes_each != 2 && bytes_each != 4)) {
        return {};
    }
    std::size_t begin = used_;
    std::size_t end = begin + longest - 4;
    unsigned char buffer[at_once];
    for (std::size_t done = 0; done < length && used_ < end;) {
        std::size_t count = std::min(length - done, at_once / bytes_each);
        if (!memory.read(characters + done * bytes_each, buffer, count * bytes_each)) {
            used_ = begin;
            return {};
        }
        for (std::size_t i = 0; i < count && used_ < end; ++i) {
            encode(character_at(buffer + i * bytes_each, bytes_each));
        }
        done += count;
    }
    return {bytes_ + begin, used_ - begin};
}

std::string_view Texts::add_c_string(Memory& memory, Address begin) noexcept {
    if (is_full()) {
        return {};
    }
    std::size_t first = used_;
    std::size_t end = first + longest - 4;
    while (used_ < end) {
        char buffer[at_once];
        std::size_t count = at_once - begin % at_once;  // never into the next page, which may not be readable
        if (!memory.read(begin, buffer, count)) {
            used_ = first;
            return {};
        }
        for (std::size_t i = 0; i < count && used_ < end; ++i) {
            if (buffer[i] == '\0') {
                return {bytes_ + first, used_ - first};
            }
            put(buffer[i] >= ' ' && buffer[i] != 0x7F ? static_cast<unsigned char>(buffer[i]) : '?');
        }
        begin += count;
    }
    return {bytes_ + first, used_ - first};
}

bool is_of_type(Memory& memory, Address object, const void* type) noexcept {
    Address found;
    return read_field(memory, object, offsetof(PyObject, ob_type), found) && found == interpreter::as_address(type);
}

std::string_view text_of(Memory& memory, const Offsets& offsets, Address object, Texts& texts) noexcept {
    PyASCIIObject head;
    interpreter::TextPlace place;
    bool is_text = memory.read(object, head) &&
                   interpreter::as_address(head.ob_base.ob_type) == interpreter::as_address(offsets.text_type) &&
                   interpreter::locate_text(head, object, place);
    return is_text ? texts.add(memory, place.begin, place.bytes_each, place.length) : std::string_view();
}

std::string_view type_name_of(Memory& memory, Address object, Texts& texts) noexcept {
    Address type, name;
    bool is_found = read_field(memory, object, offsetof(PyObject, ob_type), type) &&
                    read_field(memory, type, offsetof(PyTypeObject, tp_name), name);
    return is_found ? texts.add_c_string(memory, name) : std::string_view();
}

std::string_view callable_name_of(Memory& memory, const Offsets& offsets, Address object, Texts& texts) noexcept {
    Address function = object;
    bool is_method = is_of_type(memory, object, offsets.method_type);
    if (is_method) {
        read_field(memory, object, offsetof(PyMethodObject, im_func), function);
    }
    Address name;
    if (is_of_type(memory, function, offsets.function_type) &&
        read_field(memory, function, offsetof(PyFunctionObject, func_qualname), name)) {
        return text_of(memory, offsets, name, texts);
    }
    return is_method ? std::string_view() : type_name_of(memory, object, texts);
}

}  // namespace inspect
