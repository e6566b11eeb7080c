// Event streams, violations and wake flags: the DPI side (kv_* called by SystemVerilog) and the Python side (kvpy_*).
#include "core.h"

#include "pins.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace kv {

void violation(const char* format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (violations.size() < 64) violations.push_back({cycle, text});
    wake(kWakeViolation);
}

namespace {

uint64_t alarm_at = ~0ull;
uint64_t reset_from = 0, reset_to = ~0ull;  // held in reset until Python lets go
struct Poke {
    uint32_t index;
    int tag, bit;
};
std::vector<Poke> pokes;
uint32_t dump_banks = 0;  // banks that still have to dump
int banks = 0;
std::vector<uint64_t> taken[kStreams];      // what Python reads while the next records are collected

void append(int stream, const uint64_t* words) {
    Stream& s = streams[stream];
    s.words.insert(s.words.end(), words, words + kWords[stream]);
    ++s.total;
    if (s.words.size() == drain_at_words) wake(kWakeDrain);
}

}  // namespace
}  // namespace kv

using namespace kv;

extern "C" {

// ---------------------------------------------------------------- called by SystemVerilog
// Once a cycle, before anything else of that cycle. Bit 0: reset is asserted.
int kv_cycle(long long now) {
    cycle = static_cast<uint64_t>(now);
    if (cycle >= alarm_at) {
        alarm_at = ~0ull;
        wake(kWakeAlarm);
    }
    const bool reset = cycle >= reset_from && cycle < reset_to;
    if (pins::recorder.on) {
        const uint8_t rst_n = !reset;
        pins::recorder.drive(pins::kReset, cycle - 1, &rst_n, 1);
    }
    return reset;
}

int kv_wake_count() { return static_cast<int>(wake_count); }

void kv_record16(int stream, long long w1, long long w2, long long w3, long long w4, long long w5, long long w6,
                 long long w7, long long w8, long long w9, long long w10, long long w11, long long w12, long long w13,
                 long long w14, long long w15) {
    const uint64_t words[16] = {cycle,
                                static_cast<uint64_t>(w1),  static_cast<uint64_t>(w2),  static_cast<uint64_t>(w3),
                                static_cast<uint64_t>(w4),  static_cast<uint64_t>(w5),  static_cast<uint64_t>(w6),
                                static_cast<uint64_t>(w7),  static_cast<uint64_t>(w8),  static_cast<uint64_t>(w9),
                                static_cast<uint64_t>(w10), static_cast<uint64_t>(w11), static_cast<uint64_t>(w12),
                                static_cast<uint64_t>(w13), static_cast<uint64_t>(w14), static_cast<uint64_t>(w15)};
    append(stream, words);
}

void kv_record4(int stream, long long w1, long long w2, long long w3) {
    const uint64_t words[4] = {cycle, static_cast<uint64_t>(w1), static_cast<uint64_t>(w2), static_cast<uint64_t>(w3)};
    append(stream, words);
}

void kv_violation(const char* text) { violation("%s", text); }

void kv_checked(int n) { checks += static_cast<uint64_t>(n); }

// ---------------------------------------------------------------- banks: numbers, faults, dump
int kv_bank_number(const char* scope) {
    const char* at = std::strstr(scope, "gen_bank[");
    const int bank = at ? std::atoi(at + std::strlen("gen_bank[")) : 0;
    if (bank + 1 > banks) banks = bank + 1;
    return bank;
}

int kv_bank_count() { return banks; }

// The next fault for this bank: flip `bit` of the tag (or meta) word of `row`.
int kv_poke(int bank, int* row, int* tag, int* bit) {
    for (size_t i = 0; i < pokes.size(); ++i) {
        if (static_cast<int>(pokes[i].index) % banks != bank) continue;
        *row = static_cast<int>(pokes[i].index) / banks;
        *tag = pokes[i].tag;
        *bit = pokes[i].bit;
        pokes.erase(pokes.begin() + static_cast<long>(i));
        return 1;
    }
    return 0;
}

int kv_dump_wanted(int bank) {
    const uint32_t mask = 1u << bank;
    if (!(dump_banks & mask)) return 0;
    dump_banks &= ~mask;
    return 1;
}

void kvpy_poke(uint32_t index, int tag, int bit) { pokes.push_back({index, tag, bit}); }
int kvpy_poke_pending() { return static_cast<int>(pokes.size()); }
void kvpy_dump_request() { dump_banks = (1u << banks) - 1; }

// ---------------------------------------------------------------- called by Python
// From now on (before the first edge) the pins are recorded.
void kvpy_pins_record(uint64_t ports, uint64_t axi_bytes) {
    pins::recorder.on = true;
    std::memcpy(pins::recorder.header.magic, pins::kMagic, sizeof pins::kMagic);
    pins::recorder.header.ports = ports;
    pins::recorder.header.axi_bytes = axi_bytes;
}

// Stops recording and writes everything to a file; 0 when that fails.
int kvpy_pins_save(const char* path) {
    pins::Recorder& r = pins::recorder;
    r.on = false;
    r.header.signature = r.signature.value();
    std::FILE* file = std::fopen(path, "wb");
    if (!file) return 0;
    bool good = std::fwrite(&r.header, sizeof r.header, 1, file) == 1;
    good = std::fwrite(r.bytes.data(), 1, r.bytes.size(), file) == r.bytes.size() && good;
    return std::fclose(file) == 0 && good;
}

uint64_t kvpy_cycle() { return cycle; }

uint32_t kvpy_take_wake() {
    const uint32_t flags = wake_flags;
    wake_flags = 0;
    return flags;
}

void kvpy_alarm(uint64_t at) { alarm_at = at; }

void kvpy_reset(uint64_t from, uint64_t to) {
    reset_from = from;
    reset_to = to;
}

// Hands out the records collected so far; they stay valid until the next call for this stream.
const uint64_t* kvpy_take_records(int stream, uint64_t* words) {
    taken[stream].clear();
    taken[stream].swap(streams[stream].words);
    *words = taken[stream].size();
    return taken[stream].data();
}

uint64_t kvpy_records_total(int stream) { return streams[stream].total; }

void kvpy_drain_at(uint64_t words) { drain_at_words = words; }

uint64_t kvpy_checks() { return checks; }

uint64_t kvpy_violation_count() { return violations.size(); }

const char* kvpy_violation(uint64_t i, uint64_t* at) {
    *at = violations[i].cycle;
    return violations[i].text.c_str();
}

void kvpy_clear_violations() { violations.clear(); }
}
