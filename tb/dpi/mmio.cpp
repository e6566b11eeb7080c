// Fast MMIO transactor: Python hands over an array of accesses, the clock edge works it off, Python is woken once.
//
// One access is under way at a time: a batch must stop at its first refused access, before the next has any effect.
#include "core.h"
#include "pins.h"

namespace kv {
namespace {

enum Kind : uint8_t { kRead = 0, kWrite = 1, kWaitIrq = 2, kWaitCycles = 3 };
enum Result : uint8_t { kNotRun = 0xFF, kTimeout = 0xFE };  // else AXI's RESP

struct Access {
    uint64_t data;   // write: value; read: result; waits: cycles
    uint64_t begun;  // cycle of the request's last handshake
    uint64_t ended;  // cycle of the response
    uint32_t addr;
    uint8_t kind;
    uint8_t strb;
    uint8_t resp;
    uint8_t pad;
};
static_assert(sizeof(Access) == 32);

constexpr uint64_t kResponseLimit = 20000;  // cycles

// What the transactor drives; packed into a word for SystemVerilog in the order of the bits below.
struct Bus {
    Access* list = nullptr;
    uint64_t count = 0, at = 0;
    bool stop_on_refused = true;
    bool busy = false, started = false;
    bool aw = false, w = false, ar = false, b = false, r = false;  // valid / ready that we drive
    uint64_t since = 0;
    uint32_t gap256 = 0;  // chance of an idle cycle before an access
    Rng rng;

    Access& now() { return list[at]; }

    void finish(uint8_t resp, uint32_t flag) {
        Access& a = now();
        a.resp = resp;
        a.ended = cycle;
        started = aw = w = ar = b = r = false;
        ++at;
        if (at == count || (stop_on_refused && resp != 0)) {
            busy = false;
            wake(flag);
        }
    }

    void tick(bool reset, bool awready, bool wready, bool bvalid, int bresp, bool arready, bool rvalid, int rresp,
              uint64_t rdata, bool irq, uint32_t flag) {
        if (reset) {
            aw = w = ar = b = r = false;
            if (busy && started) finish(kTimeout, flag);
            return;
        }
        if (!busy) return;
        Access& a = now();
        if (started) {
            const bool requesting = aw || w || ar;
            if (aw && awready) aw = false;
            if (w && wready) w = false;
            if (ar && arready) ar = false;
            if (requesting && !aw && !w && !ar) a.begun = cycle;
            if ((bvalid || rvalid) && (aw || w || ar))
                violation("MMIO at 0x%04x: expected no response before the request was accepted, seen one", a.addr);
            switch (a.kind) {
                case kWrite:
                    if (b && bvalid) finish(static_cast<uint8_t>(bresp), flag);
                    break;
                case kRead:
                    if (r && rvalid) {
                        a.data = rdata;
                        finish(static_cast<uint8_t>(rresp), flag);
                    }
                    break;
                case kWaitIrq:
                    if (irq) finish(0, flag);
                    else if (cycle - since >= a.data) finish(kTimeout, flag);
                    break;
                default:
                    if (cycle - since >= a.data) finish(0, flag);
                    break;
            }
            if (started && a.kind <= kWrite && cycle - since > kResponseLimit) {
                violation("MMIO at 0x%04x: expected a response within %llu cycles, seen none", a.addr,
                          static_cast<unsigned long long>(kResponseLimit));
                finish(kTimeout, flag);
            }
        }
        if (!started && busy && !rng.chance(gap256)) {
            started = true;
            since = cycle;
            Access& n = now();
            n.begun = cycle;
            aw = w = b = n.kind == kWrite;
            ar = r = n.kind == kRead;
        }
    }
};

Bus buses[2];  // BAR0, BAR2

}  // namespace
}  // namespace kv

using namespace kv;

extern "C" {

// One clock edge of the transactor of `bar` (0: BAR0, 1: BAR2). Returns {rready, bready, arvalid, wvalid, awvalid}.
int kv_mmio_tick(int bar, int reset, int awready, int wready, int bvalid, int bresp, int arready, int rvalid, int rresp,
                 long long rdata, int irq, int* addr, int* strb, long long* data) {
    Bus& m = buses[bar];
    m.tick(reset, awready, wready, bvalid, bresp, arready, rvalid, rresp, static_cast<uint64_t>(rdata), irq,
           bar ? kWakeBar2 : kWakeMmio);
    if (m.started) {
        *addr = static_cast<int>(m.now().addr);
        *strb = m.now().strb;
        *data = static_cast<long long>(m.now().data);
    }
    const int ctl = (m.aw ? 1 : 0) | (m.w ? 2 : 0) | (m.ar ? 4 : 0) | (m.b ? 8 : 0) | (m.r ? 16 : 0);
    if (pins::recorder.on) {
        const int group = bar ? pins::kBar2 : pins::kBar0;
        const pins::Mmio now{static_cast<uint64_t>(*data), static_cast<uint32_t>(*addr), static_cast<uint8_t>(ctl),
                             static_cast<uint8_t>(*strb), {}};
        pins::recorder.drive(group, cycle, &now, sizeof now);
        const int seen = awready | wready << 1 | bvalid << 2 | arready << 3 | rvalid << 4 | irq << 5 |
                         (bvalid ? bresp << 6 : 0) | (rvalid ? rresp << 8 : 0);
        if (!reset) pins::recorder.signature.see(group, cycle, static_cast<uint64_t>(seen), rvalid ? static_cast<uint64_t>(rdata) : 0);
    }
    return ctl;
}

// Python: starts a batch; `list` must stay alive until kvpy_mmio_done. Returns 0 when one is already running.
int kvpy_mmio_start(int bar, void* list, uint64_t count, int stop_on_refused) {
    Bus& m = buses[bar];
    if (m.busy || count == 0) return 0;
    m.list = static_cast<Access*>(list);
    m.count = count;
    m.at = 0;
    m.stop_on_refused = stop_on_refused != 0;
    m.busy = true;
    return 1;
}

// Python: how many accesses have ended; -1 - that number while the batch still runs.
int64_t kvpy_mmio_done(int bar) {
    const Bus& m = buses[bar];
    return m.busy ? -1 - static_cast<int64_t>(m.at) : static_cast<int64_t>(m.at);
}

void kvpy_mmio_config(int bar, uint32_t gap256, uint64_t seed) {
    buses[bar].gap256 = gap256;
    buses[bar].rng.seed(seed);
}
}
