#include "core/notes.hpp"

#include "stackful/first_use.hpp"
#include "stackful/heap.hpp"
#include "stackful/system/threads.hpp"

namespace core {

Notes Notes::nothing{.thread_state = nullptr,
                     .thread = nullptr,
                     .ended = ~std::size_t{0},
                     .ending = nullptr,
                     .release = nullptr,
                     .clearing = {}};
constinit thread_local Notes* Notes::notes = &Notes::nothing;

Notes* Notes::allocate() noexcept {
    static constinit stackful::FirstUse<stackful::system::ThreadValue> first_use;
    const auto& owner = first_use.value([]() noexcept { return stackful::system::ThreadValue(&Notes::free); });
    auto* made = new (stackful::heap) Notes{};
    if (made != nullptr) {
        notes = made;
        owner.set(made);  // if it can't, they are not freed
    }
    return made;
}

void Notes::free(void* old) noexcept {
    notes = &nothing;  // a later destructor may make new notes
    stackful::destroy(static_cast<Notes*>(old));
}

}  // namespace core
