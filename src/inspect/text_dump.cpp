#include "inspect/text_dump.hpp"

#include <new>

#include "inspect/output.hpp"
#include "inspect/walker.hpp"
#include "interpreter/versions/cpython.hpp"
#include "stackful/system/threads.hpp"

namespace inspect {

namespace {

// A number for a stack; equal for equal stacks.
std::uint64_t hash_of(const Frames& frames) noexcept {
    std::uint64_t hash = 14695981039346656037U;
    auto add = [&hash](std::string_view text) {
        for (char c : text) {
            hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
        }
    };
    for (const FrameEntry& frame : frames) {
        add(frame.file);
        add(frame.function);
        hash = (hash ^ static_cast<std::uint64_t>(frame.line)) * 1099511628211U;
    }
    return hash ^ frames.more();
}

class TextVisitor final : public Visitor {
public:
    TextVisitor(Output& output, unsigned long own_native_id) noexcept
        : output_(output), own_native_id_(own_native_id) {}

    bool thread(const ThreadEntry& entry) noexcept override {
        output_ << "\nThread ";
        output_.hexadecimal(entry.identity, 16);
        if (entry.native_id != 0) {
            output_ << " (" << entry.native_id << ")";
        }
        output_ << ", active greenlets: " << entry.started - entry.ended + (entry.has_ended ? 0 : 1)
                << ", switches: " << entry.switches;
        output_ << (entry.has_ended                     ? ", has ended"
                    : entry.native_id == own_native_id_ ? ", got the signal"
                                                        : "")
                << "\n";
        has_last_ = false;
        return true;
    }

    bool greenlet(const GreenletEntry& entry) noexcept override {
        output_ << "  <" << entry.type_name << " ";
        output_.hexadecimal(entry.address) << ">";
        if (entry.is_main) {
            output_ << " main";
        }
        if (!entry.label.empty()) {
            output_ << " " << entry.label;
        }
        if (entry.is_current) {
            output_ << ", current";
        }
        write_frames(entry);
        return true;
    }

    bool incomplete() noexcept override {
        output_ << "  (some greenlets are missing: they started or ended meanwhile)\n";
        return true;
    }

private:
    void write_frames(const GreenletEntry& entry) noexcept {
        const Frames& frames = *entry.frames;
        if (entry.reading == Reading::changed) {
            output_ << ": ran and was suspended while it was read\n";
            return;
        }
        output_ << (entry.reading == Reading::running ? ", ran while it was read" : "");
        std::uint64_t hash = hash_of(frames);
        if (has_last_ && hash == last_) {
            output_ << ": the same stack\n";
            return;
        }
        has_last_ = true;
        last_ = hash;
        output_ << "\n";
        for (const FrameEntry& frame : frames) {
            output_ << "    File \"" << frame.file << "\", line " << frame.line << " in " << frame.function << "\n";
        }
        if (frames.more() != 0) {
            output_ << "    and " << frames.more() << " more\n";
        }
    }

    Output& output_;
    unsigned long own_native_id_;
    bool has_last_ = false;
    std::uint64_t last_ = 0;
};

// Too large for the stack of a greenlet.
alignas(Walker) std::byte walker_place[sizeof(Walker)];
alignas(Output) std::byte output_place[sizeof(Output)];

}  // namespace

void write_text_dump(int file, int signal) noexcept {
    std::int64_t process = stackful::system::process_id();
    auto& output = *new (output_place) Output(file);
    {
        Memory memory(static_cast<pid_t>(process));
        auto& walker = *new (walker_place) Walker(memory, greenlet_offsets);
        output << "Greenlets of process " << process << " on signal " << signal << ", most recent call first:\n";
        TextVisitor visitor(output, PyThread_get_thread_native_id());
        if (!walker.walk(visitor)) {
            output << "(the memory of this process can't be read)\n";
        }
        walker.~Walker();
    }
    output.~Output();
}

}  // namespace inspect
