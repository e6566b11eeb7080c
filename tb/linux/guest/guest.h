/* What the guest's tests share: a test is a function that runs in a process of its own; the first CHECK that fails
 * ends it. */
#ifndef GUEST_H
#define GUEST_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/kvcpu.h>

#define NODE "/dev/kvcpu0"
#define SYS "/sys/class/kv_cpu/kvcpu0/"
#define PCI "/sys/bus/pci/devices/0000:00:00.0/"
#define DEBUG "/sys/kernel/debug/kv_cpu/kvcpu0/"
#define BLOCK 8192
#define TOKENS 16

struct test {
    const char *name;
    void (*run)(void);
};

struct suite {
    const char *name;
    const char *parameters; /* of the module; NULL: the suite loads it by itself */
    const struct test *tests;
};

#define TEST(name) {#name, name}
#define END {NULL, NULL}

extern const struct suite published_suite, requests_suite, hints_suite, events_suite, sharing_suite, rules_suite,
    lifetime_suite, faults_suite, axi_suite, time_suite, mock_suite, devices_suite, rate_suite, uring_suite,
    madvise_suite, errors_suite, memory_suite, stack_suite;

void failed(const char *file, int line, const char *what);
#define CHECK(good)                                  \
    do {                                             \
        if (!(good)) failed(__FILE__, __LINE__, #good); \
    } while (0)
#define FAILS(call, error)                                                                                 \
    do {                                                                                                   \
        if ((call) != -1 || errno != (error)) failed(__FILE__, __LINE__, #call " is to fail with " #error); \
    } while (0)

extern const char *module_path;

void load(const char *parameters);
int try_load(const char *parameters);
void unload(void);

int open_node(void);
void put(const char *file, const char *text);
int try_put(const char *file, const char *text);
uint64_t get(const char *file);
int contents(const char *file, char *text, size_t room);

/* Tiers 0 to 3 with 64 slots each. */
void configure(void);
void insert(int fd, unsigned request, unsigned token, unsigned tier);
int lookup(int fd, unsigned request, unsigned token, struct kvcpu_lookup *found);
void bind_blocks(int fd, uint64_t va, unsigned blocks, unsigned request, unsigned token);
int hint(int fd, unsigned long call, uint64_t va, uint64_t len, uint64_t step);
/* The word of an entry's line in debugfs; "" when the block is not there. */
const char *entry(unsigned request, unsigned token);
void wait_ms(unsigned ms);

enum {
    FAULT_LOSE = 1,
    FAULT_RESET = 2,
    FAULT_RETURN = 3,
    FAULT_AXI_READ = 4,
    FAULT_AXI_WRITE = 5,
    FAULT_CHECK_FAILED = 6,
    FAULT_PROMPT = 7,
    FAULT_ID = 8, /* until FAULT_RETURN, the register reads what the driver does not know */
    FAULT_VERSION = 9,
    FAULT_CAPS = 10,
    FAULT_SIZE = 11,
    FAULT_READY = 12, /* until FAULT_RETURN, the end of its reset does not come */
    FAULT_PARITY = 13
};
/* The testbench does something to the device, so many ns from now. -1: it cannot be reached. */
int try_fault(int what, unsigned tier, uint32_t number);
void fault(int what, uint32_t after_ns);
/* So many read bursts from (write: write bursts to) the memory of a tier are answered with SLVERR; 0: all. */
void axi_errors(unsigned tier, int write, unsigned bursts);
/* The accelerator looks up a token, to write or not (sw/transport/accelerator.py); whether the block is there. */
int accelerator_lookup(unsigned request, unsigned token, int write);
/* The same without a look at the answer: no interrupt is served meanwhile. */
void accelerator_asks(unsigned request, unsigned token, int write);
/* An entry has bad parity. */
void bad_parity(unsigned index);
/* The level of the interrupt line, also when no driver has the device. */
int interrupt_line(void);
/* ns from the last STEP_ADVANCE to its interrupt, by the device's own count; 0: there was none since. */
uint32_t counted_step_to_irq(void);

/* Run one of the programs in another process; its exit status. Its lines "not ok" and "FAILED" become remarks. */
int program(const char *name, const char *const *arguments);

/* Run a module of the project by its Python; what it prints is in the log. Its exit status. */
int python(const char *module);

/* Run a function in another process; its exit status (0: no CHECK has failed). */
int in_child(void (*run)(void));

#endif
