// Tier memories, running copies, and the check of every byte.
#include "memory.h"

#include <sys/mman.h>

#include "core.h"

namespace kv {

TierMemory tiers[kTiers];
Move moves[kMoves];

namespace {

uint64_t committed_bytes = 0;  // bytes of committed copies that were compared
bool fill_inserts = true;

uint8_t* reserve(uint64_t bytes) {
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? nullptr : static_cast<uint8_t*>(p);
}

uint64_t first_difference(const uint8_t* a, const uint8_t* b, uint64_t bytes) {
    uint64_t i = 0;
    while (i < bytes && a[i] == b[i]) ++i;
    return i;
}

void report_bytes(const char* what, const Move& m, uint64_t at, uint8_t expected, uint8_t seen) {
    violation("%s of block 0x%016llx: byte %llu at tier %d address 0x%llx: expected 0x%02x, seen 0x%02x", what,
              static_cast<unsigned long long>(m.kv_addr), static_cast<unsigned long long>(at), m.dst_tier,
              static_cast<unsigned long long>(m.dst + at), expected, seen);
}

// What an uncommitted copy left in its target slot was checked beat by beat: take it over as it is.
void adopt(Move& m) {
    TierMemory& t = tiers[m.dst_tier];
    if (!m.written || !t.holds(m.dst, m.bytes)) return;
    uint8_t* seen = t.seen + (m.dst - t.base);
    uint8_t* expected = t.expected + (m.dst - t.base);
    for (uint64_t i = 0; i < m.bytes; i += 8)
        if (m.have[i / 8] & 2) std::memcpy(expected + i, seen + i, 8);
}

}  // namespace

// The copy that a burst belongs to. A removed block's slot may already be another block's that moves too, while the
// first copy still waits for responses: a stopped copy issues no more bursts, so it is the one that started last.
Move* find_move(bool write, int tier, uint64_t addr, uint64_t bytes) {
    Move* last = nullptr;
    for (Move& m : moves) {
        if (!m.active || (write ? m.dst_tier : m.src_tier) != tier) continue;
        const uint64_t first = write ? m.dst : m.src;
        if (addr >= first && addr + bytes <= first + m.bytes && (!last || m.order > last->order)) last = &m;
    }
    return last;
}

}  // namespace kv

using namespace kv;

extern "C" {

// ---------------------------------------------------------------- called by the monitors of the directory
// A start check that came out well: the copy may run.
void kv_move_start(int id, long long kv_addr, int src_tier, long long src, int dst_tier, long long dst, int bytes) {
    Move& m = moves[id];
    if (m.active)
        violation("DMA move %d: expected its end before its next start, seen a start for block 0x%016llx", id,
                  static_cast<unsigned long long>(kv_addr));
    static uint64_t starts = 0;
    m.active = true;
    m.order = ++starts;
    m.kv_addr = static_cast<uint64_t>(kv_addr);
    m.src_tier = src_tier;
    m.dst_tier = dst_tier;
    m.src = static_cast<uint64_t>(src);
    m.dst = static_cast<uint64_t>(dst);
    m.bytes = static_cast<uint64_t>(bytes);
    m.outstanding = 0;
    m.written = 0;
    m.failed = false;
    m.image.assign(m.bytes, 0);
    m.have.assign(m.bytes / 8, 0);
}

// The end of a try. `committed`: the entry now has the new place.
void kv_move_end(int id, int committed) {
    Move& m = moves[id];
    if (!m.active) {
        violation("DMA move %d: expected an end only of a copy that runs, seen one without a start", id);
        return;
    }
    const auto block = static_cast<unsigned long long>(m.kv_addr);
    ++checks;
    if (m.outstanding)
        violation("DMA move %d of block 0x%016llx: expected its end after the last response, seen %d bursts outstanding",
                  id, block, m.outstanding);
    if (committed) {
        TierMemory& s = tiers[m.src_tier];
        TierMemory& d = tiers[m.dst_tier];
        if (m.failed)
            violation("DMA commit of block 0x%016llx: expected no commit after an error response, seen one", block);
        if (m.written != m.bytes)
            violation("DMA commit of block 0x%016llx: expected %llu bytes written, seen %llu", block,
                      static_cast<unsigned long long>(m.bytes), static_cast<unsigned long long>(m.written));
        if (s.holds(m.src, m.bytes) && d.holds(m.dst, m.bytes)) {
            uint8_t* expected = d.expected + (m.dst - d.base);
            const uint8_t* seen = d.seen + (m.dst - d.base);
            std::memcpy(expected, s.expected + (m.src - s.base), m.bytes);
            d.touch(m.dst, m.bytes);
            const uint64_t at = first_difference(expected, seen, m.bytes);
            if (at < m.bytes) report_bytes("copy", m, at, expected[at], seen[at]);
            committed_bytes += m.bytes;
            checks += m.bytes / 8;
        }
    } else {
        adopt(m);
    }
    m.active = false;
}

// Reset, or a soft reset that has become idle: no copy runs any more.
void kv_moves_clear() {
    for (Move& m : moves) {
        if (m.active) adopt(m);
        m.active = false;
    }
}

// A new block: its slot gets bytes that tell block and place, so that every later copy shows where it came from.
void kv_fill(int tier, long long phys_addr, long long kv_addr, int bytes) {
    TierMemory& t = tiers[tier];
    const auto addr = static_cast<uint64_t>(phys_addr);
    if (!fill_inserts || !t.holds(addr, static_cast<uint64_t>(bytes))) return;
    auto* seen = reinterpret_cast<uint64_t*>(t.seen + (addr - t.base));
    auto* expected = reinterpret_cast<uint64_t*>(t.expected + (addr - t.base));
    uint64_t x = static_cast<uint64_t>(kv_addr) * 0x9E3779B97F4A7C15ull + cycle;
    for (int i = 0; i < bytes / 8; ++i) seen[i] = expected[i] = (x += 0xD1B54A32D192ED03ull);
    t.touch(addr, static_cast<uint64_t>(bytes));
}

// ---------------------------------------------------------------- called by Python
// Gives a tier its window of memory, zeroed; returns 0 when the machine refuses. base and size in bytes.
int kvpy_memory_map(int tier, uint64_t base, uint64_t size) {
    TierMemory& t = tiers[tier];
    if (t.seen) munmap(t.seen, t.size);
    if (t.expected) munmap(t.expected, t.size);
    t.base = base;
    t.size = (size + kPage - 1) / kPage * kPage;
    t.seen = reserve(t.size);
    t.expected = reserve(t.size);
    t.touched.assign(t.size / kPage, false);
    return t.seen && t.expected;
}

uint8_t* kvpy_memory(int tier) { return tiers[tier].seen; }

// Software's own access: 1 when done, 0 when outside the tier's window.
int kvpy_memory_write(int tier, uint64_t addr, const uint8_t* bytes, uint64_t count) {
    TierMemory& t = tiers[tier];
    if (!t.holds(addr, count)) return 0;
    if (!count) return 1;
    std::memcpy(t.seen + (addr - t.base), bytes, count);
    std::memcpy(t.expected + (addr - t.base), bytes, count);
    t.touch(addr, count);
    return 1;
}

int kvpy_memory_read(int tier, uint64_t addr, uint8_t* bytes, uint64_t count) {
    const TierMemory& t = tiers[tier];
    if (!t.holds(addr, count)) return 0;
    std::memcpy(bytes, t.seen + (addr - t.base), count);
    return 1;
}

// Compares every byte that was ever written in either memory; untouched pages are zero in both. Returns the number of
// differing pages and leaves the first difference in the pointers; `compared` counts bytes.
uint64_t kvpy_memory_compare(uint64_t* compared, int* tier, uint64_t* addr, uint8_t* expected, uint8_t* seen) {
    uint64_t bad = 0;
    *compared = committed_bytes;
    for (int i = 0; i < kTiers; ++i) {
        const TierMemory& t = tiers[i];
        for (uint64_t p = 0; p < t.touched.size(); ++p) {
            if (!t.touched[p]) continue;
            const uint8_t* e = t.expected + p * kPage;
            const uint8_t* s = t.seen + p * kPage;
            *compared += kPage;
            if (std::memcmp(e, s, kPage) == 0) continue;
            if (bad++ == 0) {
                const uint64_t at = first_difference(e, s, kPage);
                *tier = i;
                *addr = t.base + p * kPage + at;
                *expected = e[at];
                *seen = s[at];
            }
        }
    }
    return bad;
}

// Flips a bit behind the device's back: the check of the check.
int kvpy_memory_corrupt(int tier, uint64_t addr, uint8_t mask) {
    TierMemory& t = tiers[tier];
    if (!t.holds(addr, 1)) return 0;
    t.seen[addr - t.base] ^= mask;
    t.touch(addr, 1);
    return 1;
}

void kvpy_fill_inserts(int on) { fill_inserts = on != 0; }
}
