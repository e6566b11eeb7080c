// Tier memories: what the AXI port reads and writes, and next to it what the contract expects there.
#pragma once

#include <cstdint>
#include <vector>

namespace kv {

constexpr int kTiers = 4;
constexpr uint64_t kPage = 4096;

// One tier: [base, base + size), lazily allocated, twice: `seen` is what the device wrote, `expected` what committed
// copies and software's own accesses say. Both start as zeros.
struct TierMemory {
    uint64_t base = 0, size = 0;
    uint8_t* seen = nullptr;
    uint8_t* expected = nullptr;
    std::vector<bool> touched;  // a page of 4 KiB was written in either
    bool holds(uint64_t addr, uint64_t bytes) const {
        return addr >= base && bytes <= size && addr - base <= size - bytes;
    }
    void touch(uint64_t addr, uint64_t bytes) {
        for (uint64_t p = (addr - base) / kPage; p <= (addr - base + bytes - 1) / kPage; ++p) touched[p] = true;
    }
};
extern TierMemory tiers[kTiers];

// A copy that runs, from its start check to its end: which addresses are legal and what may be written there.
struct Move {
    bool active = false;
    uint64_t kv_addr = 0;
    int src_tier = 0, dst_tier = 0;
    uint64_t src = 0, dst = 0, bytes = 0;
    uint64_t order = 0;            // counts starts
    int outstanding = 0;           // bursts accepted and not yet answered to the end
    uint64_t written = 0;          // bytes
    bool failed = false;           // met an error response
    std::vector<uint8_t> image;    // what was read, at its place in the block
    std::vector<uint8_t> have;     // per 8 bytes: bit 0 read, bit 1 written
};
constexpr int kMoves = 128;
extern Move moves[kMoves];

// The active move with `addr` in its source (write = false) or its target slot; nullptr when there is none.
Move* find_move(bool write, int tier, uint64_t addr, uint64_t bytes);

}  // namespace kv
