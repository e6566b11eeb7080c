// Lookup port drivers: requests from NumPy arrays, answers into NumPy arrays, random valid and random back-pressure.
#include <deque>

#include "core.h"
#include "pins.h"

namespace kv {
namespace {

constexpr int kPorts = 8;

struct Request {
    uint64_t kv_addr;
    uint64_t write;
};

struct Answer {
    uint64_t asked;     // cycle in which the request was accepted
    uint64_t answered;  // cycle in which the answer was taken
    uint64_t phys_addr;
    uint16_t index;
    uint8_t hit, denied, tier, pad[3];
};
static_assert(sizeof(Answer) == 32);

struct Batch {
    const Request* requests;
    Answer* answers;
    uint64_t count, asked, answered;
};

struct Port {
    std::deque<Batch> batches;
    uint64_t done = 0;  // batches
    bool valid = false, ready = false;
    uint32_t idle256 = 0, stall256 = 0;
    Rng rng;

    Batch* asking() {
        for (Batch& b : batches)
            if (b.asked < b.count) return &b;
        return nullptr;
    }

    void tick(int port, bool reset, bool lookup_ready, bool answer_valid, bool hit, bool denied, int tier,
              uint64_t phys_addr, int index) {
        if (reset) {  // what was under way is lost
            if (!batches.empty()) wake(kWakePort0 << port);
            batches.clear();
            valid = ready = false;
            return;
        }
        if (valid && lookup_ready) {
            Batch* b = asking();
            b->answers[b->asked++].asked = cycle;
            valid = false;
        }
        if (answer_valid && ready) {
            if (batches.empty() || batches.front().answered == batches.front().asked) {
                violation("lookup port %d: expected no answer without a request, seen an answer (hit %d, index %d)",
                          port, hit, index);
            } else {
                Batch& b = batches.front();
                Answer& a = b.answers[b.answered++];
                a.answered = cycle;
                a.phys_addr = phys_addr;
                a.index = static_cast<uint16_t>(index);
                a.hit = hit;
                a.denied = denied;
                a.tier = static_cast<uint8_t>(tier);
                if (b.answered == b.count) {
                    batches.pop_front();
                    ++done;
                    wake(kWakePort0 << port);
                }
            }
        }
        if (!valid && asking() && !rng.chance(idle256)) valid = true;
        ready = !rng.chance(stall256);
    }
};

Port ports[kPorts];

}  // namespace
}  // namespace kv

using namespace kv;

extern "C" {

// One clock edge of one port. Returns {answer_ready, write, valid}.
int kv_lookup_tick(int port, int reset, int lookup_ready, int answer_valid, int hit, int denied, int tier,
                   long long phys_addr, int index, long long* kv_addr) {
    Port& p = ports[port];
    p.tick(port, reset, lookup_ready, answer_valid, hit, denied, tier, static_cast<uint64_t>(phys_addr), index);
    int write = 0;
    if (p.valid) {
        const Batch* b = p.asking();
        *kv_addr = static_cast<long long>(b->requests[b->asked].kv_addr);
        write = b->requests[b->asked].write != 0;
    }
    const int ctl = (p.valid ? 1 : 0) | (write ? 2 : 0) | (p.ready ? 4 : 0);
    if (pins::recorder.on) {
        const int group = pins::kPort0 + port;
        const pins::Lookup now{static_cast<uint64_t>(*kv_addr), static_cast<uint8_t>(ctl), {}};
        pins::recorder.drive(group, cycle, &now, sizeof now);
        const int seen = lookup_ready | answer_valid << 1 | (answer_valid ? hit << 2 | denied << 3 | tier << 4 | index << 6 : 0);
        if (!reset) pins::recorder.signature.see(group, cycle, static_cast<uint64_t>(seen), answer_valid ? static_cast<uint64_t>(phys_addr) : 0);
    }
    return ctl;
}

// Python: appends a batch; both arrays must stay alive until it is done or reset.
void kvpy_lookup_start(int port, const void* requests, void* answers, uint64_t count) {
    if (count) ports[port].batches.push_back({static_cast<const Request*>(requests), static_cast<Answer*>(answers), count, 0, 0});
}

uint64_t kvpy_lookup_done(int port) { return ports[port].done; }
uint64_t kvpy_lookup_waiting(int port) { return ports[port].batches.size(); }

void kvpy_lookup_config(int port, uint32_t idle256, uint32_t stall256, uint64_t seed) {
    ports[port].idle256 = idle256;
    ports[port].stall256 = stall256;
    ports[port].rng.seed(seed);
}
}
