// Entry of every simulation: runs the Verilated top under cocotb's VPI until nothing is pending.
//
// Own code instead of cocotb's stock main because three things are needed that it does not do: waves that start at a
// given time, output flushed line by line (Python and RTL write the same log), and a final status that a failed
// assertion cannot lose.
//
// Plusargs: +kvcpu_trace=<file> writes waves, +kvcpu_trace_from=<ps> leaves out what lies before,
// +kvcpu_trace_to=<ps> what lies behind.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_vpi.h"

#if VM_COVERAGE
#include "verilated_cov.h"
#endif

#if VM_TRACE
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using WaveFile = VerilatedFstC;
#else
#include "verilated_vcd_c.h"
using WaveFile = VerilatedVcdC;
#endif
#endif

extern "C" void vlog_startup_routines_bootstrap(void);

namespace {

constexpr uint64_t kNothingPending = ~uint64_t{0};
uint64_t now_ps = 0;

std::string plusarg(int argc, char** argv, const std::string& name) {
    const std::string prefix = "+" + name + "=";
    for (int i = 1; i < argc; ++i) {
        const std::string arg = argv[i];
        if (arg.compare(0, prefix.size(), prefix) == 0) return arg.substr(prefix.size());
    }
    return "";
}

#if VM_TRACE
std::unique_ptr<WaveFile> waves;
uint64_t waves_from_ps = 0;
uint64_t waves_to_ps = kNothingPending;
uint64_t waves_until_ps = kNothingPending;  // time of the last dump, kNothingPending before the first

void open_waves(int argc, char** argv, Vtop& top) {
    const std::string file = plusarg(argc, argv, "kvcpu_trace");
    if (file.empty()) return;
    waves_from_ps = std::strtoull(plusarg(argc, argv, "kvcpu_trace_from").c_str(), nullptr, 10);
    const std::string to = plusarg(argc, argv, "kvcpu_trace_to");
    if (!to.empty()) waves_to_ps = std::strtoull(to.c_str(), nullptr, 10);
    Verilated::traceEverOn(true);
    waves = std::make_unique<WaveFile>();
    top.trace(waves.get(), 99);
    waves->open(file.c_str());
}

void dump_waves() {
    if (!waves || now_ps < waves_from_ps || now_ps > waves_to_ps || now_ps == waves_until_ps) return;
    waves->dump(now_ps);
    waves_until_ps = now_ps;
}
#endif

// Also reached through the exit callback when a failed assertion aborts the simulation.
void wrap_up() {
    static bool done = false;
    if (done) return;
    done = true;
    VerilatedVpi::callCbs(cbEndOfSimulation);
#if VM_TRACE
    dump_waves();  // the slot of the failure, which ends before it would be dumped
    if (waves) waves->close();
#endif
#if VM_COVERAGE
    VerilatedCov::write();  // to +verilator+coverage+file+<name>
#endif
    std::fflush(stdout);
}

void settle() {
    while (VerilatedVpi::callValueCbs()) {
    }
}

// Callbacks of `reason`; what they have changed settles.
void call(uint32_t reason) {
    if (VerilatedVpi::callCbs(reason)) settle();
}

void run_time_slot(Vtop& top) {
    do {
        do {
            top.eval_step();
            VerilatedVpi::clearEvalNeeded();
            VerilatedVpi::doInertialPuts();
            settle();
        } while (VerilatedVpi::evalNeeded());
        if (VerilatedVpi::hasCbs(cbReadWriteSynch)) call(cbReadWriteSynch);  // most slots have none
        VerilatedVpi::doInertialPuts();
        if (VerilatedVpi::evalNeeded()) settle();
    } while (VerilatedVpi::evalNeeded());
    top.eval_end_step();
    if (VerilatedVpi::hasCbs(cbReadOnlySynch)) VerilatedVpi::callCbs(cbReadOnlySynch);
}

}  // namespace

// Verilator takes the time of messages from here.
double sc_time_stamp() { return static_cast<double>(now_ps); }

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
    Verilated::commandArgs(argc, argv);
    auto top = std::make_unique<Vtop>("");
    Verilated::fatalOnVpiError(false);
#if VM_TRACE
    open_waves(argc, argv, *top);
#endif
    vlog_startup_routines_bootstrap();
    Verilated::addExitCb([](void*) { wrap_up(); }, nullptr);
    VerilatedVpi::callCbs(cbStartOfSimulation);
    settle();

    while (!Verilated::gotFinish()) {
        run_time_slot(*top);
#if VM_TRACE
        dump_waves();
#endif
        const uint64_t from_hdl = top->eventsPending() ? top->nextTimeSlot() : kNothingPending;
        const uint64_t deadline = VerilatedVpi::cbNextDeadline();
        const uint64_t next = std::min<uint64_t>(deadline, from_hdl);
        if (next == kNothingPending) break;
        now_ps = next;
        call(cbNextSimTime);
        if (deadline <= next || VerilatedVpi::hasCbs(cbAfterDelay)) call(cbAfterDelay);
    }

    top->final();
    wrap_up();
    const bool failed = Verilated::threadContextp()->errorCount() > 0 || Verilated::threadContextp()->gotError();
    std::fflush(stdout);
    // The wave file and Python hold references into the model: leave without running static destructors.
    std::_Exit(failed ? 1 : 0);
}
