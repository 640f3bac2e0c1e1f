#include "inspect/recording/names.hpp"

#include <algorithm>
#include <iterator>

namespace inspect::recording {

namespace {

std::uint64_t hash_of(std::string_view text) noexcept {  // FNV-1a
    std::uint64_t hash = 0xcbf29ce484222325;
    for (char character : text) {
        hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3;
    }
    return hash;
}

}  // namespace

void Names::clear() noexcept {
    std::fill(std::begin(places_), std::end(places_), Place{});
    count_ = 0;
}

std::uint16_t Names::number_of(std::string_view name, Ring& ring) noexcept {
    name.remove_suffix(name.size() - std::min(name.size(), longest));  // substr() would need the C++ library, to throw
    std::uint64_t hash = hash_of(name);
    std::size_t i = hash % places;
    while (places_[i].number != 0 && places_[i].hash != hash) {
        i = (i + 1) % places;
    }
    if (places_[i].number == 0) {
        if (count_ == most || !ring.append_name(name.data(), name.size())) {
            return 0;
        }
        places_[i] = {hash, ++count_};
    }
    return places_[i].number;
}

}  // namespace inspect::recording
