#include "inspect/walker.hpp"

#include "interpreter/frames/copied.hpp"

namespace inspect {

namespace {

constexpr std::size_t most_threads = 1'000'000;
constexpr std::uint64_t most_greenlets = 100'000'000;

// The last activations of a list that were read, to go back to if the list changes.
class Trail {
public:
    void add(Address activation) noexcept { places_[count_++ % size] = activation; }

    // The last one; 0 if there is none left.
    Address take() noexcept {
        if (count_ == 0) {
            return 0;
        }
        Address& place = places_[--count_ % size];
        Address taken = place;
        place = 0;
        return taken;
    }

private:
    static constexpr std::size_t size = 16;
    Address places_[size] = {};
    std::size_t count_ = 0;
};

}  // namespace

bool Walker::walk(Visitor& visitor) noexcept {
    const auto& places = table_.thread_place;
    Address place;
    if (!memory_.read(interpreter::as_address(table_.first_thread), place)) {
        return false;
    }
    for (std::size_t i = 0; place != 0 && i < most_threads; ++i) {
        Address thread, next;
        if (!memory_.read(place + places.thread, thread) || !memory_.read(place + places.next, next)) {
            return false;
        }
        if (thread != 0 && !visit_thread(place, thread, visitor)) {
            return true;
        }
        place = next;
    }
    return true;
}

bool Walker::visit_thread(Address place, Address thread, Visitor& visitor) noexcept {
    const auto& places = table_.thread;
    if (!thread_.read(memory_, thread, places.size) || thread_.at(places.place) != place) {
        return true;  // it is gone
    }
    ThreadEntry entry{};
    entry.address = thread;
    entry.identity = thread_.at<unsigned long>(places.identity);
    entry.switches = thread_.at<std::uint64_t>(places.switches);
    entry.started = thread_.at<std::size_t>(places.started);
    entry.ended = thread_.at<std::size_t>(places.ended);
    Address thread_state = thread_.at(places.thread_state);
    entry.has_ended = thread_state == 0;
    if (thread_state != 0) {
        memory_.read(thread_state + interpreter::CopiedPlaces::thread_native, entry.native_id);
    }
    Subject main{thread, thread_.at(places.main), thread + places.main_activation};
    return visitor.thread(entry) && (main.object == 0 || visit_greenlet(main, visitor)) &&
           visit_active(thread, visitor);
}

bool Walker::read_greenlet(Address object) noexcept {
    Address implementation;
    return object != 0 && memory_.read(object + table_.object.implementation, implementation) &&
           greenlet_.read(memory_, implementation, table_.greenlet.size);
}

// Finds the greenlet of an activation in the thread's list, and the next activation.
Walker::Place Walker::look_at(Subject& subject, Address& next) noexcept {
    const auto& places = table_.activation;
    if (!activation_.read(memory_, subject.activation, places.size)) {
        return Place::lost;
    }
    next = activation_.at(places.next);
    subject.object = activation_.at(places.greenlet);
    if (!read_greenlet(subject.object)) {
        return Place::lost;
    }
    Address thread = greenlet_.at(table_.greenlet.thread);
    bool is_active = greenlet_.at<std::uint8_t>(table_.greenlet.phase) == table_.greenlet.active_phase;
    if (thread == subject.thread && is_active && greenlet_.at(table_.greenlet.activation) == subject.activation) {
        return Place::active;
    }
    // It starts or finishes just now.
    return !is_active && (thread == 0 || thread == subject.thread) ? Place::passed : Place::lost;
}

bool Walker::visit_active(Address thread, Visitor& visitor) noexcept {
    const auto& places = table_.thread;
    std::uint64_t expected = thread_.at<std::size_t>(places.started) - thread_.at<std::size_t>(places.ended);
    std::uint64_t seen = 0;
    Trail trail;
    Address place = thread_.at(places.active);
    for (std::uint64_t i = 0; place != 0 && i < most_greenlets; ++i) {
        Subject subject{thread, 0, place};
        Address next = 0;
        Place found = look_at(subject, next);
        if (found == Place::lost) {
            place = trail.take();
            if (place == 0 || look_at(subject = {thread, 0, place}, next) != Place::active) {
                continue;
            }
        }
        else if (found == Place::active) {
            ++seen;
            if (!visit_greenlet(subject, visitor)) {
                return false;
            }
            Subject same{thread, 0, place};
            Address later = 0;
            if (look_at(same, later) == Place::active && same.object == subject.object) {
                next = later;
                trail.add(place);
            }
        }
        place = next;
    }
    bool is_read = thread_.read(memory_, thread, places.size);
    std::uint64_t now = thread_.at<std::size_t>(places.started) - thread_.at<std::size_t>(places.ended);
    return seen >= (is_read && now < expected ? now : expected) || visitor.incomplete();
}

bool Walker::visit_greenlet(const Subject& subject, Visitor& visitor) noexcept {
    if (!read_greenlet(subject.object)) {
        return true;
    }
    const auto& places = table_.greenlet;
    GreenletEntry entry{};
    entry.address = subject.object;
    texts_.clear();
    entry.type_name = type_name_of(memory_, subject.object, texts_);
    auto role = greenlet_.at<std::uint8_t>(places.role);
    entry.is_main = role == places.main_role;
    entry.is_body = role == places.body_role;
    Address run = 0;
    if (!entry.is_main && memory_.read(subject.activation + table_.activation.run, run) && run != 0) {
        entry.label = callable_name_of(memory_, table_, run, texts_);
    }
    entry.reading = stack_.read(subject, texts_, entry.is_current);
    entry.frames = &stack_.frames();
    if (!read_greenlet(subject.object)) {
        return true;
    }
    if (!entry.is_main && greenlet_.at(places.activation) != subject.activation) {
        return true;  // it has finished
    }
    entry.parent = greenlet_.at(places.parent);
    entry.resumer = greenlet_.at(places.resumer);
    entry.stack_pointer = entry.is_current ? 0 : greenlet_.at(places.stack_pointer);
    return visitor.greenlet(entry);
}

}  // namespace inspect
