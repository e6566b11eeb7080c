// What crosses the device's pins: the inputs of a run, to be played again without the testbench, and a signature of the
// outputs, to see that they came out the same. Shared by the testbench and the bare loop (tb/figures/cpp).
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

namespace kv::pins {

// Groups of pins. An event gives a group its new values, for all cycles after the edge of its cycle.
enum Group : uint8_t { kReset = 0, kBar0 = 1, kBar2 = 2, kAxi = 3, kAxiData = 4, kPort0 = 8 };
constexpr int kGroups = 16;

struct Mmio {  // ctl: rready, bready, arvalid, wvalid, awvalid from bit 4 down
    uint64_t data;
    uint32_t addr;
    uint8_t ctl, strb, pad[2];
};
struct Axi {  // ctl: rlast, rvalid, bvalid, arready, wready, awready from bit 5 down; ids: rresp, bresp, rid, bid
    uint32_t ids;
    uint8_t ctl, pad[3];
};
struct Lookup {  // ctl: answer_ready, write, valid from bit 2 down
    uint64_t kv_addr;
    uint8_t ctl, pad[7];
};
static_assert(sizeof(Mmio) == 16 && sizeof(Axi) == 8 && sizeof(Lookup) == 16);

struct Event {
    uint32_t after;  // cycles since the event before
    uint8_t group, bytes;
};

constexpr char kMagic[8] = {'K', 'V', 'P', 'I', 'N', 'S', '1', 0};
struct Header {
    char magic[8];
    uint64_t ports, axi_bytes, cycles, signature;
};

// One hash for each group of outputs: the order in which the groups of one cycle are looked at does not matter.
class Signature {
  public:
    // The outputs of `group` in `cycle`; what equals the cycle before is not hashed again.
    void see(int group, uint64_t cycle, uint64_t control, uint64_t data = 0, uint64_t more = 0) {
        Seen& s = seen_[group];
        if (s.control == control && s.data == data && s.more == more) return;
        s = {control, data, more};
        for (const uint64_t word : {cycle, control, data, more}) mix(group, word);
    }
    // A beat of write data.
    void beat(uint64_t cycle, const void* data, uint32_t bytes, bool last) {
        mix(kAxiData, cycle << 1 | last);
        uint64_t word;
        for (uint32_t i = 0; i < bytes; i += 8) {
            std::memcpy(&word, static_cast<const uint8_t*>(data) + i, 8);
            mix(kAxiData, word);
        }
    }
    uint64_t value() const {
        uint64_t all = 0;
        for (int i = 0; i < kGroups; ++i) all = (all ^ hash_[i]) * 0x9E3779B97F4A7C15ull;
        return all;
    }

  private:
    struct Seen {
        uint64_t control = 0, data = 0, more = 0;
    };
    void mix(int group, uint64_t word) {
        uint64_t& h = hash_[group];
        h = (h ^ word) * 0x9E3779B97F4A7C15ull;
        h ^= h >> 29;
    }
    Seen seen_[kGroups];
    uint64_t hash_[kGroups] = {};
};

// Collects the inputs of a run. Off until a test asks for it.
struct Recorder {
    bool on = false;
    Header header{};
    std::vector<uint8_t> bytes;
    std::vector<uint8_t> last[kGroups];
    uint64_t last_cycle = 0;
    Signature signature;

    // The inputs of `group` from the edge of `cycle` on.
    void drive(int group, uint64_t cycle, const void* data, uint8_t size) {
        std::vector<uint8_t>& before = last[group];
        if (before.size() == size && std::memcmp(before.data(), data, size) == 0) return;
        const auto* p = static_cast<const uint8_t*>(data);
        before.assign(p, p + size);
        const Event e{static_cast<uint32_t>(cycle - last_cycle), static_cast<uint8_t>(group), size};
        last_cycle = cycle;
        const auto* h = reinterpret_cast<const uint8_t*>(&e);
        bytes.insert(bytes.end(), h, h + sizeof e);
        bytes.insert(bytes.end(), p, p + size);
    }
};
inline Recorder recorder;

}  // namespace kv::pins
