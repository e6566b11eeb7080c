// AXI4 memory port: answers the device's bursts with latency, bandwidth, stalls, reordering and errors, and checks them.
//
// One port serves the four tiers (AxUSER). Responses of one ID stay in order; those of different IDs may pass each
// other and interleave. All random choices come from one seed.
#include <deque>
#include <vector>

#include "core.h"
#include "memory.h"
#include "pins.h"

namespace kv {
namespace {

constexpr int kIds = 256;
constexpr int kOkay = 0, kSlvErr = 2, kDecErr = 3;
constexpr int kIncr = 1;

// Settings of one tier; latencies in cycles, rates in 1/256.
struct Timing {
    uint32_t read_latency = 20, write_latency = 20;
    uint32_t read_jitter = 0, write_jitter = 0;  // up to so many cycles more
    uint32_t read_gap256 = 256, write_gap256 = 256;  // 256ths of a cycle per beat: bandwidth
};

// Settings of the port: chances in 256ths.
struct Port {
    uint32_t aw_stall256 = 0, w_stall256 = 0, ar_stall256 = 0, r_stall256 = 0, b_stall256 = 0;
    uint32_t reorder256 = 0, interleave256 = 0;
    uint32_t long_stall256 = 0, long_stall_cycles = 0;  // chance (of 65,536) per cycle that everything stops
};

// Bursts whose first byte lies in [lo, hi) of a tier get `resp`, the first `count` of them with chance per256.
struct ErrorRule {
    uint32_t tiers, write;
    uint64_t lo, hi;
    uint32_t count, per256;
    int resp;
    uint64_t hits;
};

struct Burst {
    int id = 0, tier = 0, resp = kOkay;
    uint64_t addr = 0, ready = 0;
    uint32_t beats = 0, at = 0, error_beat = 0, error_end = 0;  // read beats [error_beat, error_end) fail
    Move* move = nullptr;
    bool done = false;
};

struct Beat {
    uint8_t data[64];
    uint64_t strb;
    bool last;
};

struct Counts {
    uint64_t read_bursts = 0, write_bursts = 0, read_beats = 0, write_beats = 0, read_errors = 0, write_errors = 0;
    uint64_t first_read_cycle = 0, last_read_cycle = 0, first_read_request_cycle = 0;
};

Timing timing[kTiers];
Port port;
std::vector<ErrorRule> rules;
Counts counts;
Rng rng;
uint32_t width = 64;  // bytes

std::deque<Burst> reads, writes;  // writes: address known; waits for data, then for its response
std::deque<Beat> beats;           // data not yet matched with an address
uint64_t read_credit[kTiers], write_free[kTiers];  // in 256ths of a cycle
uint64_t stalled_until = 0;

bool awready = false, wready = false, arready = false, bvalid = false, rvalid = false;
int bid = 0, bresp = 0, rid = 0, rresp = 0;
bool rlast = false;
uint8_t rdata[64];
size_t r_current = 0;  // index into reads of the beat that is offered
size_t b_current = 0;

int error_of(bool write, int tier, uint64_t addr) {
    for (ErrorRule& e : rules) {
        if (e.write != write || !(e.tiers >> tier & 1) || addr < e.lo || addr >= e.hi || !e.count) continue;
        if (!rng.chance(e.per256)) continue;
        if (e.count != ~0u) --e.count;
        ++e.hits;
        return e.resp;
    }
    return kOkay;
}

void check_burst(bool write, Burst& b, int len, int size, int burst) {
    const char* name = write ? "AXI write" : "AXI read";
    const auto addr = static_cast<unsigned long long>(b.addr);
    const uint64_t bytes = static_cast<uint64_t>(len + 1) * width;
    ++checks;
    if (burst != kIncr) violation("%s at 0x%llx: expected an INCR burst, seen AxBURST %d", name, addr, burst);
    if ((1u << size) != width) violation("%s at 0x%llx: expected AxSIZE of the full bus, seen %d", name, addr, size);
    if (b.addr % width) violation("%s at 0x%llx: expected an address aligned to the bus, seen offset %llu", name, addr,
                                  static_cast<unsigned long long>(b.addr % width));
    if (b.addr / kPage != (b.addr + bytes - 1) / kPage)
        violation("%s at 0x%llx: expected no burst across 4 KiB, seen %llu bytes", name, addr,
                  static_cast<unsigned long long>(bytes));
    b.move = find_move(write, b.tier, b.addr, bytes);
    if (!b.move)
        violation("%s at tier %d 0x%llx: expected only addresses inside the slots of a running move, seen %llu bytes "
                  "outside", name, b.tier, addr, static_cast<unsigned long long>(bytes));
    else
        ++b.move->outstanding;
}

void end_burst(Burst& b) {
    if (b.move) {
        --b.move->outstanding;
        if (b.resp) b.move->failed = true;
    }
    b.done = true;
}

void accept(bool write, int id, uint64_t addr, int len, int size, int burst, int tier) {
    Burst b;
    b.id = id;
    b.tier = tier;
    b.addr = addr;
    b.beats = static_cast<uint32_t>(len + 1);
    check_burst(write, b, len, size, burst);
    b.resp = tiers[tier].holds(addr, static_cast<uint64_t>(b.beats) * width) ? error_of(write, tier, addr) : kDecErr;
    if (b.resp) ++(write ? counts.write_errors : counts.read_errors);
    if (write) {
        ++counts.write_bursts;
        writes.push_back(b);
    } else {
        if (!counts.read_bursts++) counts.first_read_request_cycle = cycle;
        const Timing& t = timing[tier];
        b.ready = cycle + t.read_latency - 1 + rng.below(t.read_jitter + 1);
        b.error_beat = b.resp ? rng.below(b.beats) : 0;
        b.error_end = rng.below(2) ? b.beats : b.error_beat + 1;
        reads.push_back(b);
    }
}

// A write beat goes to memory; it must carry what this move read from the same place of its source.
void store(Burst& b, const Beat& beat) {
    const uint64_t addr = b.addr + static_cast<uint64_t>(b.at) * width;
    ++counts.write_beats;
    ++checks;
    const bool last = b.at + 1 == b.beats;
    if (beat.last != last)
        violation("AXI write at 0x%llx beat %u: expected WLAST %d, seen %d", static_cast<unsigned long long>(b.addr),
                  b.at, last, beat.last);
    const uint64_t all = width == 64 ? ~0ull : (1ull << width) - 1;
    if (beat.strb != all)
        violation("AXI write at 0x%llx beat %u: expected all strobes, seen 0x%llx",
                  static_cast<unsigned long long>(b.addr), b.at, static_cast<unsigned long long>(beat.strb));
    if (b.move) {
        Move& m = *b.move;
        const uint64_t offset = addr - m.dst;
        for (uint32_t i = 0; i < width; i += 8) {
            uint8_t& have = m.have[(offset + i) / 8];
            if (!(have & 1) || (have & 2)) {
                violation("AXI write of block 0x%016llx offset %llu: expected each byte read once before it is written "
                          "once, seen %s", static_cast<unsigned long long>(m.kv_addr),
                          static_cast<unsigned long long>(offset + i), have & 2 ? "a second write" : "no read");
                break;
            }
            if (std::memcmp(beat.data + i, m.image.data() + offset + i, 8) != 0) {
                violation("AXI write of block 0x%016llx offset %llu: expected the bytes read from its source, seen "
                          "others", static_cast<unsigned long long>(m.kv_addr),
                          static_cast<unsigned long long>(offset + i));
                break;
            }
            have |= 2;
        }
        m.written += width;
    }
    TierMemory& t = tiers[b.tier];
    if (b.resp != kDecErr && t.holds(addr, width)) {  // an erroneous burst may or may not have reached memory
        std::memcpy(t.seen + (addr - t.base), beat.data, width);
        t.touch(addr, width);
    }
    if (++b.at == b.beats) {
        const Timing& tm = timing[b.tier];
        uint64_t end = cycle << 8;
        if (write_free[b.tier] > end) end = write_free[b.tier];
        const uint64_t paid = static_cast<uint64_t>(b.beats) * tm.write_gap256;
        write_free[b.tier] = end + paid;
        // the beats themselves have already taken a cycle each on the bus
        const uint64_t extra = paid > (static_cast<uint64_t>(b.beats) << 8) ? paid - (static_cast<uint64_t>(b.beats) << 8) : 0;
        b.ready = ((end + extra) >> 8) + tm.write_latency - 1 + rng.below(tm.write_jitter + 1);
    }
}

void match_write_data() {
    for (Burst& b : writes) {
        while (b.at < b.beats && !beats.empty()) {
            store(b, beats.front());
            beats.pop_front();
        }
        if (b.at < b.beats) return;
    }
}

// The next read beat: index into `reads`, or -1. Only the oldest burst of an ID may answer.
int pick_read() {
    bool seen_id[kIds] = {};
    int candidates[64];
    int n = 0;
    if (!rng.chance(port.interleave256)) {  // a burst that has begun goes on
        for (size_t i = 0; i < reads.size(); ++i) {
            const Burst& b = reads[i];
            if (!b.done && b.at > 0) return read_credit[b.tier] > (cycle << 8) ? -1 : static_cast<int>(i);
        }
    }
    for (size_t i = 0; i < reads.size() && n < 64; ++i) {
        const Burst& b = reads[i];
        if (b.done || seen_id[b.id]) continue;
        seen_id[b.id] = true;
        if (b.ready > cycle || read_credit[b.tier] > (cycle << 8)) continue;
        candidates[n++] = static_cast<int>(i);
        if (!port.reorder256 && !port.interleave256) break;
    }
    if (!n) return -1;
    return candidates[rng.chance(port.reorder256) || rng.chance(port.interleave256) ? rng.below(static_cast<uint32_t>(n)) : 0];
}

int pick_write_response() {
    bool seen_id[kIds] = {};
    int candidates[64];
    int n = 0;
    for (size_t i = 0; i < writes.size() && n < 64; ++i) {
        const Burst& b = writes[i];
        if (b.done || seen_id[b.id]) continue;
        seen_id[b.id] = true;
        if (b.at < b.beats) break;
        if (b.ready > cycle) continue;
        candidates[n++] = static_cast<int>(i);
        if (!port.reorder256) break;
    }
    if (!n) return -1;
    return candidates[rng.chance(port.reorder256) ? rng.below(static_cast<uint32_t>(n)) : 0];
}

void offer_read() {
    const int i = pick_read();
    if (i < 0) return;
    r_current = static_cast<size_t>(i);
    Burst& b = reads[r_current];
    const uint64_t addr = b.addr + static_cast<uint64_t>(b.at) * width;
    const TierMemory& t = tiers[b.tier];
    rvalid = true;
    rid = b.id;
    rresp = b.resp && b.at >= b.error_beat && b.at < b.error_end ? b.resp : kOkay;
    rlast = b.at + 1 == b.beats;
    if (t.holds(addr, width)) std::memcpy(rdata, t.seen + (addr - t.base), width);
    else std::memset(rdata, 0xEE, width);
    if (rresp) std::memset(rdata, 0xE0 | rresp, width);
    const uint64_t from = read_credit[b.tier] > (cycle << 8) ? read_credit[b.tier] : cycle << 8;
    read_credit[b.tier] = from + timing[b.tier].read_gap256;
}

void read_taken() {
    Burst& b = reads[r_current];
    ++counts.read_beats;
    if (!counts.first_read_cycle) counts.first_read_cycle = cycle;
    counts.last_read_cycle = cycle;
    if (b.move) {
        Move& m = *b.move;
        const uint64_t offset = b.addr + static_cast<uint64_t>(b.at) * width - m.src;
        std::memcpy(m.image.data() + offset, rdata, width);
        for (uint32_t i = 0; i < width; i += 8) m.have[(offset + i) / 8] |= 1;
        if (rresp) m.failed = true;
    }
    if (++b.at == b.beats) end_burst(b);
    while (!reads.empty() && reads.front().done) reads.pop_front();
}

void record_pins(int ctl, int ids) {
    if (!pins::recorder.on) return;
    pins::recorder.header.cycles = cycle;
    const pins::Axi now{static_cast<uint32_t>(ids), static_cast<uint8_t>(ctl), {}};
    pins::recorder.drive(pins::kAxi, cycle, &now, sizeof now);
    if (rvalid) pins::recorder.drive(pins::kAxiData, cycle, rdata, static_cast<uint8_t>(width));
}

void reset_port() {
    reads.clear();
    writes.clear();
    beats.clear();
    awready = wready = arready = bvalid = rvalid = false;
    for (int i = 0; i < kTiers; ++i) read_credit[i] = write_free[i] = 0;
}

}  // namespace
}  // namespace kv

using namespace kv;

extern "C" {

void kv_axi_width(int bytes) { width = static_cast<uint32_t>(bytes); }

// A write-data handshake; called before kv_axi_tick of the same edge.
void kv_axi_write_beat(const uint32_t* data, long long strb, int last) {
    Beat b;
    std::memcpy(b.data, data, width);
    b.strb = static_cast<uint64_t>(strb);
    b.last = last != 0;
    beats.push_back(b);
    if (pins::recorder.on) pins::recorder.signature.beat(cycle, b.data, width, b.last);
    if (beats.size() > 256 * 4)
        violation("AXI write data: expected data no further than 4 bursts ahead of its address, seen %zu beats", beats.size());
}

// One clock edge of the memory port. Returns {rlast, rvalid, bvalid, arready, wready, awready}; `ids` is
// {rresp, bresp, rid, bid} in bytes.
int kv_axi_tick(int reset, int awvalid, int awid, long long awaddr, int awlen, int awsize, int awburst, int awtier,
                int arvalid, int arid, long long araddr, int arlen, int arsize, int arburst, int artier, int bready,
                int rready, int* ids) {
    if (reset) {
        reset_port();
        record_pins(0, *ids);
        return 0;
    }
    if (pins::recorder.on) {
        pins::Signature& s = pins::recorder.signature;
        const int aw = awid << 5 | awlen << 11 | awsize << 19 | awburst << 22 | awtier << 24;
        const int ar = arid << 5 | arlen << 11 | arsize << 19 | arburst << 22 | artier << 24;
        const int control = awvalid | arvalid << 1 | bready << 2 | rready << 3;
        s.see(pins::kAxi, cycle, static_cast<uint64_t>(control | (awvalid ? aw : 0)) | static_cast<uint64_t>(arvalid ? ar : 0) << 32,
              awvalid ? static_cast<uint64_t>(awaddr) : 0, arvalid ? static_cast<uint64_t>(araddr) : 0);
    }
    if (awvalid && awready) accept(true, awid, static_cast<uint64_t>(awaddr), awlen, awsize, awburst, awtier);
    if (arvalid && arready) accept(false, arid, static_cast<uint64_t>(araddr), arlen, arsize, arburst, artier);
    if (!beats.empty() && !writes.empty()) match_write_data();
    if (rvalid && rready) {
        rvalid = false;
        read_taken();
    }
    if (bvalid && bready) {
        bvalid = false;
        end_burst(writes[b_current]);
        while (!writes.empty() && writes.front().done) writes.pop_front();
    }
    if (port.long_stall256 && rng.below(65536) < port.long_stall256) stalled_until = cycle + port.long_stall_cycles;
    const bool stalled = cycle < stalled_until;
    awready = !stalled && !rng.chance(port.aw_stall256);
    wready = !stalled && !rng.chance(port.w_stall256);
    arready = !stalled && !rng.chance(port.ar_stall256);
    if (!rvalid && !stalled && !rng.chance(port.r_stall256) && !reads.empty()) offer_read();
    if (!bvalid && !stalled && !rng.chance(port.b_stall256) && !writes.empty()) {
        const int i = pick_write_response();
        if (i >= 0) {
            b_current = static_cast<size_t>(i);
            bvalid = true;
            bid = writes[b_current].id;
            bresp = writes[b_current].resp;
        }
    }
    *ids = bid | rid << 8 | bresp << 16 | rresp << 24;
    const int ctl = (awready ? 1 : 0) | (wready ? 2 : 0) | (arready ? 4 : 0) | (bvalid ? 8 : 0) | (rvalid ? 16 : 0) |
                    (rvalid && rlast ? 32 : 0);
    record_pins(ctl, *ids);
    return ctl;
}

void kv_axi_read_data(uint32_t* data) { std::memcpy(data, rdata, width); }

// ---------------------------------------------------------------- called by Python
void kvpy_axi_seed(uint64_t seed) { rng.seed(seed); }

void kvpy_axi_timing(int tier, uint32_t read_latency, uint32_t write_latency, uint32_t read_jitter,
                     uint32_t write_jitter, uint32_t read_gap256, uint32_t write_gap256) {
    timing[tier] = {read_latency, write_latency, read_jitter, write_jitter, read_gap256, write_gap256};
}

void kvpy_axi_port(uint32_t aw, uint32_t w, uint32_t ar, uint32_t r, uint32_t b, uint32_t reorder, uint32_t interleave,
                   uint32_t long_stall, uint32_t long_cycles) {
    port = {aw, w, ar, r, b, reorder, interleave, long_stall, long_cycles};
}

int kvpy_axi_error(uint32_t tier_mask, uint32_t write, uint64_t lo, uint64_t hi, uint32_t count, uint32_t per256,
                   int resp) {
    rules.push_back({tier_mask, write, lo, hi, count, per256, resp, 0});
    return static_cast<int>(rules.size()) - 1;
}

void kvpy_axi_clear_errors() { rules.clear(); }

uint64_t kvpy_axi_error_hits(int rule) { return rules[static_cast<size_t>(rule)].hits; }

// Bursts and beats so far, as numbers in the order of struct Counts.
void kvpy_axi_counts(uint64_t* out) { std::memcpy(out, &counts, sizeof counts); }
void kvpy_axi_clear_counts() { counts = Counts(); }

uint64_t kvpy_axi_outstanding() { return reads.size() + writes.size() + beats.size(); }
}
