#include "core/notes.hpp"

#include <pthread.h>

#include <optional>

#include "stackful/first_use.hpp"
#include "stackful/heap.hpp"

namespace core {

Notes Notes::nothing{.thread_state = nullptr,
                     .thread = nullptr,
                     .ended = ~std::size_t{0},
                     .ending = nullptr,
                     .release = nullptr,
                     .clearing = {}};
constinit thread_local Notes* Notes::notes = &Notes::nothing;

namespace {

// Registers a function that is called with a thread's notes when the thread ends. Without a key they are not freed.
std::optional<pthread_key_t> make_key(void (*destructor)(void*)) noexcept {
    pthread_key_t key;
    return ::pthread_key_create(&key, destructor) == 0 ? std::optional(key) : std::nullopt;
}

}  // namespace

Notes* Notes::allocate() noexcept {
    static constinit stackful::FirstUse<std::optional<pthread_key_t>> first_use;
    const std::optional<pthread_key_t>& key = first_use.value([]() noexcept { return make_key(&Notes::free); });
    auto* made = new (stackful::heap) Notes{};
    if (made != nullptr) {
        notes = made;
        if (key) {
            ::pthread_setspecific(*key, made);
        }
    }
    return made;
}

void Notes::free(void* old) noexcept {
    notes = &nothing;  // a later destructor may make new notes
    stackful::destroy(static_cast<Notes*>(old));
}

}  // namespace core
