// What every part of the testbench's C++ side shares: the cycle, event streams, violations, wake flags, random numbers.
//
// The simulator and Python are one process: Python reads these buffers through ctypes without copying, while the
// simulation is halted.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace kv {

// Cycle of the clock edge being worked on: the number of rising edges since time 0.
inline uint64_t cycle = 0;

// ---------------------------------------------------------------- random numbers (xorshift64*)
class Rng {
  public:
    void seed(uint64_t s) { state_ = s * 0x9E3779B97F4A7C15ull + 0xD1B54A32D192ED03ull; if (!state_) state_ = 1; }
    uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545F4914F6CDD1Dull;
    }
    // 0 .. n - 1
    uint32_t below(uint32_t n) { return n ? static_cast<uint32_t>((next() >> 33) % n) : 0; }
    // true in `per256` of 256 cases
    bool chance(uint32_t per256) { return per256 && (next() >> 56) < per256; }

  private:
    uint64_t state_ = 1;
};

// ---------------------------------------------------------------- event streams
// A record is a fixed number of 64-bit words, word 0 the cycle; what the rest means is described in
// tb/events/events.toml, and kvcpu_events_pkg (generated) builds it.
constexpr int kStreams = 4;
constexpr int kWords[kStreams] = {16, 4, 4, 4};  // main, scan, ports, spare for block benches

struct Stream {
    std::vector<uint64_t> words;
    uint64_t total = 0;
};
inline Stream streams[kStreams];
inline uint64_t drain_at_words = 1u << 23;  // a stream longer than this wakes Python

// ---------------------------------------------------------------- waking Python
enum Wake : uint32_t {
    kWakeMmio = 1,
    kWakeBar2 = 2,
    kWakeAlarm = 4,
    kWakeDrain = 8,
    kWakeViolation = 16,
    kWakePort0 = 256,  // << port
};
inline uint32_t wake_flags = 0;     // not yet taken by Python
inline uint32_t wake_count = 0;     // shown to Python as a signal that changes
inline void wake(uint32_t flags) {
    wake_flags |= flags;
    ++wake_count;
}

// ---------------------------------------------------------------- violations
struct Violation {
    uint64_t cycle;
    std::string text;
};
inline std::vector<Violation> violations;
inline uint64_t checks = 0;  // how many checks were made: a checker that never ran is no pass

void violation(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace kv
