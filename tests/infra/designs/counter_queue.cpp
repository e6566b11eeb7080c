// Queue of counter steps: Python fills it through ctypes, the testbench pops one step a cycle.
#include <cstdint>
#include <deque>

static std::deque<uint32_t> steps;

extern "C" {

void counter_push(const uint32_t* values, uint32_t n) { steps.insert(steps.end(), values, values + n); }

int counter_pop(uint32_t* step) {
    *step = 0;
    if (steps.empty()) return 0;
    *step = steps.front();
    steps.pop_front();
    return 1;
}
}
