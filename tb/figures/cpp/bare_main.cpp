// The bare loop: the Verilated device alone, driven with the inputs that the testbench recorded (tb/dpi/pins.h).
//
//   Vtop <pins> <image> <entries>
//
// Prints cycles, processor seconds of the loop and the signature of the outputs; then reads the whole directory through BAR2 and
// writes its image (ENTRIES * 32 bytes). Exit status 1 when the file is no recording of a device of this size.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

#include "Vtop.h"
#include "pins.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

namespace {

using namespace kv::pins;

constexpr uint64_t kAnswerLimit = 10000;  // cycles

std::unique_ptr<Vtop> top;
uint64_t cycle = 0;  // number of the coming edge - 1
uint64_t ports = 0, axi_bytes = 0;
Signature signature;

[[noreturn]] void fail(const char* text) {
    std::fprintf(stderr, "error: %s\n", text);
    std::exit(1);
}

// `count` bits of a packed port of any width, from bit `lsb` on.
template <class Port>
uint64_t bits(const Port& port, unsigned lsb, unsigned count) {
    uint64_t value = 0;
    std::memcpy(&value, reinterpret_cast<const uint8_t*>(&port) + lsb / 8, std::min<size_t>(8, sizeof(Port) - lsb / 8));
    value >>= lsb % 8;
    return count == 64 ? value : value & ((uint64_t{1} << count) - 1);
}

template <class Port>
void set_bit(Port& port, unsigned bit, bool on) {
    port = static_cast<Port>(on ? port | Port(1) << bit : port & ~(Port(1) << bit));
}

void drive_mmio(int group, const Mmio& m) {
    if (group == kBar0) {
        top->bar0_awaddr_i = top->bar0_araddr_i = static_cast<uint16_t>(m.addr);
        top->bar0_wdata_i = m.data;
        top->bar0_wstrb_i = m.strb;
        top->bar0_awvalid_i = m.ctl & 1;
        top->bar0_wvalid_i = m.ctl >> 1 & 1;
        top->bar0_arvalid_i = m.ctl >> 2 & 1;
        top->bar0_bready_i = m.ctl >> 3 & 1;
        top->bar0_rready_i = m.ctl >> 4 & 1;
    } else {
        top->bar2_awaddr_i = top->bar2_araddr_i = m.addr & 0x3FFFFF;
        top->bar2_wdata_i = m.data;
        top->bar2_wstrb_i = m.strb;
        top->bar2_awvalid_i = m.ctl & 1;
        top->bar2_wvalid_i = m.ctl >> 1 & 1;
        top->bar2_arvalid_i = m.ctl >> 2 & 1;
        top->bar2_bready_i = m.ctl >> 3 & 1;
        top->bar2_rready_i = m.ctl >> 4 & 1;
    }
}

void drive_axi(const Axi& a) {
    top->axi_awready_i = a.ctl & 1;
    top->axi_wready_i = a.ctl >> 1 & 1;
    top->axi_arready_i = a.ctl >> 2 & 1;
    top->axi_bvalid_i = a.ctl >> 3 & 1;
    top->axi_rvalid_i = a.ctl >> 4 & 1;
    top->axi_rlast_i = a.ctl >> 5 & 1;
    constexpr unsigned id_mask = 0x3F;
    top->axi_bid_i = a.ids & id_mask;
    top->axi_rid_i = a.ids >> 8 & id_mask;
    top->axi_bresp_i = a.ids >> 16 & 3;
    top->axi_rresp_i = a.ids >> 24 & 3;
}

void drive_port(unsigned port, const Lookup& l) {
    set_bit(top->lookup_valid_i, port, l.ctl & 1);
    set_bit(top->lookup_write_i, port, l.ctl >> 1 & 1);
    set_bit(top->answer_ready_i, port, l.ctl >> 2 & 1);
    std::memcpy(reinterpret_cast<uint8_t*>(&top->lookup_kv_addr_i) + 8 * port, &l.kv_addr, 8);
}

void drive(int group, const uint8_t* data, uint8_t size) {
    if (group == kReset) top->rst_ni = data[0];
    else if (group == kAxiData) std::memcpy(&top->axi_rdata_i, data, size);
    else if (group == kAxi) drive_axi(*reinterpret_cast<const Axi*>(data));
    else if (group >= kPort0) drive_port(static_cast<unsigned>(group - kPort0), *reinterpret_cast<const Lookup*>(data));
    else drive_mmio(group, *reinterpret_cast<const Mmio*>(data));
}

// The outputs that the coming edge samples, as the testbench's drivers see them.
void look() {
    const Vtop& t = *top;
    const auto u64 = [](auto v) { return static_cast<uint64_t>(v); };
    signature.see(kBar0, cycle,
                  u64(t.bar0_awready_o | t.bar0_wready_o << 1 | t.bar0_bvalid_o << 2 | t.bar0_arready_o << 3 |
                      t.bar0_rvalid_o << 4 | t.irq_o << 5 | (t.bar0_bvalid_o ? t.bar0_bresp_o << 6 : 0) |
                      (t.bar0_rvalid_o ? t.bar0_rresp_o << 8 : 0)),
                  t.bar0_rvalid_o ? t.bar0_rdata_o : 0);
    signature.see(kBar2, cycle,
                  u64(t.bar2_awready_o | t.bar2_wready_o << 1 | t.bar2_bvalid_o << 2 | t.bar2_arready_o << 3 |
                      t.bar2_rvalid_o << 4 | t.irq_o << 5 | (t.bar2_bvalid_o ? t.bar2_bresp_o << 6 : 0) |
                      (t.bar2_rvalid_o ? t.bar2_rresp_o << 8 : 0)),
                  t.bar2_rvalid_o ? t.bar2_rdata_o : 0);
    for (unsigned p = 0; p < ports; ++p) {
        const uint64_t valid = bits(t.answer_valid_o, p, 1);
        const uint64_t answer = bits(t.answer_hit_o, p, 1) << 2 | bits(t.answer_denied_o, p, 1) << 3 |
                                bits(t.answer_tier_o, 2 * p, 2) << 4 | bits(t.answer_index_o, 16 * p, 16) << 6;
        signature.see(static_cast<int>(kPort0 + p), cycle, bits(t.lookup_ready_o, p, 1) | valid << 1 | (valid ? answer : 0),
                      valid ? bits(t.answer_phys_addr_o, 64 * p, 64) : 0);
    }
    const int aw = t.axi_awid_o << 5 | t.axi_awlen_o << 11 | t.axi_awsize_o << 19 | t.axi_awburst_o << 22 | t.axi_awuser_o << 24;
    const int ar = t.axi_arid_o << 5 | t.axi_arlen_o << 11 | t.axi_arsize_o << 19 | t.axi_arburst_o << 22 | t.axi_aruser_o << 24;
    const int control = t.axi_awvalid_o | t.axi_arvalid_o << 1 | t.axi_bready_o << 2 | t.axi_rready_o << 3;
    signature.see(kAxi, cycle, u64(control | (t.axi_awvalid_o ? aw : 0)) | u64(t.axi_arvalid_o ? ar : 0) << 32,
                  t.axi_awvalid_o ? t.axi_awaddr_o : 0, t.axi_arvalid_o ? t.axi_araddr_o : 0);
    if (t.axi_wvalid_o && t.axi_wready_i)
        signature.beat(cycle, &t.axi_wdata_o, static_cast<uint32_t>(axi_bytes), t.axi_wlast_o);
}

// One clock cycle: the inputs have their values.
void edge() {
    top->clk_i = 0;
    top->eval();
    ++cycle;
    if (top->rst_ni) look();
    top->clk_i = 1;
    top->eval();
}

void play(const Header& header, const std::vector<uint8_t>& events) {
    size_t at = 0;
    uint64_t due = 0;
    const auto peek = [&] {
        Event e;
        std::memcpy(&e, events.data() + at, sizeof e);
        return e;
    };
    if (!events.empty()) due = peek().after;
    while (cycle < header.cycles) {
        while (at < events.size() && due <= cycle) {
            const Event e = peek();
            drive(e.group, events.data() + at + sizeof e, e.bytes);
            at += sizeof e + e.bytes;
            if (at < events.size()) due += peek().after;
        }
        edge();
    }
}

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

uint64_t read_window(uint32_t address) {
    Mmio m{0, address, 0b10100, 0xFF, {}};
    drive_mmio(kBar2, m);
    for (uint64_t n = 0; n < kAnswerLimit; ++n) {
        top->clk_i = 0;
        top->eval();
        const bool taken = top->bar2_arready_o && top->bar2_arvalid_i, answered = top->bar2_rvalid_o;
        const uint64_t data = top->bar2_rdata_o;
        top->clk_i = 1;
        top->eval();
        if (taken) top->bar2_arvalid_i = 0;
        if (answered) return data;
    }
    fail("no answer from the directory window");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) fail("usage: Vtop <pins> <image> <entries>");
    Verilated::commandArgs(argc, argv);
    std::FILE* file = std::fopen(argv[1], "rb");
    Header header{};
    if (!file || std::fread(&header, sizeof header, 1, file) != 1 || std::memcmp(header.magic, kMagic, sizeof kMagic) != 0)
        fail("the first argument is no recording of pins");
    std::vector<uint8_t> events;
    std::vector<uint8_t> part(1 << 20);
    for (size_t n; (n = std::fread(part.data(), 1, part.size(), file)) > 0;) events.insert(events.end(), part.begin(), part.begin() + static_cast<long>(n));
    std::fclose(file);
    ports = header.ports;
    axi_bytes = header.axi_bytes;

    top = std::make_unique<Vtop>("");
    if (ports > 8 || axi_bytes > sizeof top->axi_rdata_i || 8 * ports > sizeof top->lookup_kv_addr_i) fail("recorded on a device of another size");
    top->rst_ni = 0;
    const double begun = cpu_seconds();
    play(header, events);
    const double took = cpu_seconds() - begun;
    std::printf("cycles %llu\nseconds %.6f\nsignature %016llx\n", static_cast<unsigned long long>(cycle), took,
                static_cast<unsigned long long>(signature.value()));

    std::FILE* image = std::fopen(argv[2], "wb");
    if (!image) fail("the image cannot be written");
    const auto entries = static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10));
    for (uint32_t address = 0; address < entries * 32; address += 8) {
        const uint64_t word = read_window(address);
        std::fwrite(&word, sizeof word, 1, image);
    }
    std::fflush(stdout);
    std::_Exit(std::fclose(image) == 0 ? 0 : 1);  // before static destructors, which the model outlives
}
