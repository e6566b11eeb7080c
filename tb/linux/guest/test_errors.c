/* Paths that only errors reach: a device that the driver does not know, memory that cannot be had, limits, signals. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "ring.h"

#define DRIVER "/sys/bus/pci/drivers/kv_cpu/"
#define SLOT "0000:00:00.0"
#define FAILSLAB "/sys/kernel/debug/failslab/"

/* ------------------------------------------------------------------ probe */

static void refused_by_probe(int what) {
    fault(what, 0);
    load("timeout_ms=5");
    CHECK(access(NODE, F_OK) == -1);
    unload();
    fault(FAULT_RETURN, 0);
    load("");
    close(open_node());
    unload();
}

static void unknown_id(void) {
    refused_by_probe(FAULT_ID);
}

static void unknown_version(void) {
    refused_by_probe(FAULT_VERSION);
}

static void unknown_caps(void) {
    for (unsigned which = 0; which < 3; which++) {
        CHECK(try_fault(FAULT_CAPS, which, 0) == 0);
        load("");
        CHECK(access(NODE, F_OK) == -1);
        unload();
    }
    refused_by_probe(FAULT_CAPS);
}

static void window_too_small(void) {
    refused_by_probe(FAULT_SIZE);
}

static void reset_that_does_not_end(void) {
    refused_by_probe(FAULT_READY);
}

static void lost_before_probe(void) {
    refused_by_probe(FAULT_LOSE);
}

/* ------------------------------------------------------------------ limits */

static void a_reset_has_a_limit(void) {
    load("timeout_ms=5");
    fault(FAULT_READY, 0);
    FAILS(try_put(SYS "reset", "1"), ETIMEDOUT);
    fault(FAULT_RETURN, 0);
    unload();
}

/* No time at all: what is not done at once is overdue. */
static void a_command_has_a_limit(void) {
    struct kvcpu_free freed = {.request = 1};
    load(""); /* waits for the end of the reset */
    unload();
    load("timeout_ms=0");
    const int fd = open_node();
    FAILS(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed), ETIMEDOUT);
    close(fd);
    unload();
}

/* The reset pin was used, and the device does not come back. */
static void a_device_that_stays_in_reset(void) {
    struct kvcpu_free freed = {.request = 1};
    load("timeout_ms=5");
    const int fd = open_node();
    configure();
    for (unsigned n = 0; n < 32; n++) insert(fd, 1, n * TOKENS, 1);
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        wait_ms(2);
        fault(FAULT_READY, 0);
        _exit(0);
    }
    fault(FAULT_RESET, 300);
    FAILS(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed), ETIMEDOUT);
    CHECK(waitpid(child, NULL, 0) == child);
    close(fd);
    fault(FAULT_RETURN, 0);
    unload();
}

/* ------------------------------------------------------------------ memory */

static int nth = -1;

/* From now on the n-th allocation of this process fails; 0: none does. */
static void fail_allocation(unsigned n) {
    char text[16];
    if (nth < 0) {
        put(FAILSLAB "ignore-gfp-wait", "N");
        put(FAILSLAB "verbose", "0");
        nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
        CHECK(nth >= 0);
    }
    const int length = snprintf(text, sizeof text, "%u", n);
    CHECK(pwrite(nth, text, (size_t)length, 0) == length);
}

/* How many allocations are still to come before one fails; no more of them fails. */
static unsigned allocations_left(void) {
    char text[16] = "";
    CHECK(pread(nth, text, sizeof text - 1, 0) > 0);
    fail_allocation(0);
    return (unsigned)strtoul(text, NULL, 10);
}

/* All allocations of this process fail, or none more. */
static void no_memory(int none) {
    static int fd = -1;
    if (fd < 0) {
        put(FAILSLAB "ignore-gfp-wait", "N");
        put(FAILSLAB "verbose", "0");
        put(FAILSLAB "task-filter", "Y");
        put(FAILSLAB "times", "-1");
        put(FAILSLAB "probability", "100");
        fd = open("/proc/self/make-it-fail", O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0);
    }
    CHECK(pwrite(fd, none ? "1" : "0", 1, 0) == 1);
}

/* Accesses of the device allocate as well on this bus: each of these calls needs memory before its first of them. */
static void without_memory(int (*call)(void)) {
    no_memory(1);
    const int result = call(), error = errno;
    no_memory(0);
    errno = error;
    CHECK(result < 0 && errno == ENOMEM);
    CHECK(call() >= 0);
}

static int node;
static struct ring ring;

static int call_bind(void) {
    struct kvcpu_bind bind = {.va = 0x10000, .len = BLOCK, .request = 1};
    return ioctl(node, KVCPU_IOC_BIND, &bind);
}

static int call_share(void) {
    return hint(node, KVCPU_IOC_SHARE_PREFIX, 0x100000, 200 * BLOCK, 0);
}

/* The worker, not this process, has to do with the device. */
static int call_move(void) {
    const struct kvcpu_move move = {.request = 1, .argument = 2};
    const int result = ring_do(&ring, node, KVCPU_URING_MIGRATE, &move);
    errno = -result;
    return result == -ENOENT ? 0 : -1;
}

static void no_memory_for_requests(void) {
    load("");
    node = open_node();
    ring_open(&ring, 8);
    CHECK(call_move() == 0); /* the ring's own allocations are done */
    bind_blocks(node, 0x100000, 200, 1, 0);
    without_memory(call_bind);
    without_memory(call_share);
    without_memory(call_move);
    close(node);
    unload();
}

/* Each allocation of an open in turn. */
static void no_memory_for_a_file(void) {
    unsigned refused = 0;
    load("");
    for (unsigned n = 1, left = 0; !left; n++) {
        fail_allocation(n);
        const int fd = open(NODE, O_RDWR), error = errno;
        left = allocations_left();
        CHECK(fd >= 0 || error == ENOMEM);
        if (fd >= 0) close(fd);
        refused += fd < 0;
    }
    CHECK(refused > 1);
    unload();
}

/* The end of probe makes the node and its attributes, and has no access of the device. */
static void no_memory_for_the_node(void) {
    const unsigned many = 1000000, last = 300;
    unsigned refused = 0;
    load("");
    put(DRIVER "unbind", SLOT);
    fail_allocation(many);
    put(DRIVER "bind", SLOT);
    const unsigned count = many - allocations_left();
    put(DRIVER "unbind", SLOT);
    for (unsigned n = count - last; n <= count; n++) {
        fail_allocation(n);
        const int result = try_put(DRIVER "bind", SLOT);
        allocations_left();
        if (result == 0) put(DRIVER "unbind", SLOT);
        refused += result != 0;
    }
    CHECK(refused > 0);
    put(DRIVER "bind", SLOT);
    close(open_node());
    unload();
}

/* The module without its device: each allocation of its loading in turn. */
static void no_memory_for_the_module(void) {
    const unsigned many = 1000000, own = 700;
    unsigned refused = 0;
    put(PCI "driver_override", "none");
    fail_allocation(many);
    CHECK(try_load("mock=1") == 0);
    const unsigned count = many - allocations_left();
    unload();
    for (unsigned n = count > own ? count - own : 1; n <= count; n++) {
        fail_allocation(n);
        const int result = try_load("mock=1"), error = errno;
        allocations_left();
        if (result == 0) unload();
        CHECK(result == 0 || error == ENOMEM);
        refused += result != 0;
    }
    put(PCI "driver_override", "\n");
    CHECK(refused > 0);
}

/* A node keeps its number while a file of it is open: there are 16. */
static void no_number_for_a_node(void) {
    int nodes[16];
    char name[32];
    load("");
    for (unsigned n = 0; n < 16; n++) {
        snprintf(name, sizeof name, "/dev/kvcpu%u", n);
        nodes[n] = open(name, O_RDWR | O_CLOEXEC);
        CHECK(nodes[n] >= 0);
        put(DRIVER "unbind", SLOT);
        if (n < 15) put(DRIVER "bind", SLOT);
    }
    CHECK(try_put(DRIVER "bind", SLOT) == -1);
    for (unsigned n = 0; n < 16; n++) close(nodes[n]);
    put(DRIVER "bind", SLOT);
    close(open_node());
    unload();
}

/* ------------------------------------------------------------------ at any time */

static int do_share(int fd) {
    return hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x100000, 10 * BLOCK, 0); /* two of them are not there */
}

static int do_release(int fd) {
    return hint(fd, KVCPU_IOC_RELEASE, 0x100000, 10 * BLOCK, 0);
}

static int do_many_hints(int fd) {
    int result = 0;
    for (unsigned n = 0; n < 24 && result == 0; n++) result = hint(fd, KVCPU_IOC_MARK_HOT, 0x100000, 8 * BLOCK, 0);
    return result;
}

static int do_insert(int fd) {
    struct kvcpu_insert block = {.token = 900 * TOKENS, .request = 1, .token_end = 900 * TOKENS, .tier = 1};
    return ioctl(fd, KVCPU_IOC_INSERT, &block);
}

static int do_migrate(int fd) {
    struct kvcpu_event event;
    struct kvcpu_migrate move = {.request = 1, .tier = 2};
    return ioctl(fd, KVCPU_IOC_MIGRATE, &move) || read(fd, &event, sizeof event) < 0 ? -1 : 0;
}

static int do_miss(int fd) {
    struct kvcpu_event event;
    struct kvcpu_lookup arg = {.token = 901 * TOKENS, .request = 1, .flags = KVCPU_LOOKUP_TOUCH};
    if (ioctl(fd, KVCPU_IOC_LOOKUP, &arg) == 0 || errno != ENOENT) return -1;
    return read(fd, &event, sizeof event) < 0 ? -1 : 0;
}

static int do_step(int fd) {
    const struct kvcpu_step arg = {1};
    return ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &arg);
}

static int do_bind(int fd) {
    struct kvcpu_bind bind = {.va = 0x10000, .len = BLOCK, .request = 1};
    return ioctl(fd, KVCPU_IOC_BIND, &bind);
}

static int do_look_at_entries(int fd) {
    char text[64];
    (void)fd;
    return contents(DEBUG "entries", text, sizeof text);
}

static int do_look_at_queues(int fd) {
    char text[64];
    (void)fd;
    return contents(DEBUG "queues", text, sizeof text);
}

static int do_moves(int fd) {
    static const unsigned ops[] = {KVCPU_URING_MIGRATE, KVCPU_URING_EVICT, KVCPU_URING_PREFETCH};
    int worst = 0;
    struct ring moves;
    ring_open(&moves, 8);
    for (unsigned n = 0; n < 6; n++) {
        const unsigned op = ops[n % 3];
        const struct kvcpu_move move = {.token = n * TOKENS, .request = 1, .argument = op == KVCPU_URING_MIGRATE ? 2 : 0};
        ring_put(&moves, fd, op, &move, n);
    }
    ring_submit(&moves, 6);
    for (unsigned n = 0; n < 6; n++) {
        const int result = ring_wait(&moves, NULL);
        worst = result < worst ? result : worst;
    }
    ring_close(&moves);
    errno = -worst;
    return worst;
}

static int do_reset(int fd) {
    (void)fd;
    return try_put(SYS "reset", "1");
}

/* Something happens to the device at different times in the course of each request: it ends, with one of few errors. */
static void at_any_time(int what) {
    static int (*const calls[])(int) = {do_share, do_release, do_many_hints, do_insert, do_migrate, do_miss, do_step,
                                        do_bind, do_look_at_entries, do_look_at_queues, do_moves, do_reset};
    for (size_t n = 0; n < sizeof calls / sizeof *calls; n++)
        for (unsigned after = 0; after < 20000; after += after < 4000 ? 400 : 8000) {
            fault(FAULT_RETURN, 0);
            load("timeout_ms=2");
            const int fd = open(NODE, O_RDWR | O_NONBLOCK);
            CHECK(fd >= 0);
            configure();
            for (unsigned block = 0; block < 8; block++) insert(fd, 1, block * TOKENS, 1);
            bind_blocks(fd, 0x100000, 10, 1, 0);
            CHECK(do_share(fd) == 0);
            fault(what, after);
            errno = 0;
            const int result = calls[n](fd);
            const int error = errno;
            CHECK(result >= 0 || error == ENODEV || error == ECANCELED || error == ETIMEDOUT || error == EAGAIN ||
                  error == ENOENT || error == ENOMEM || error == EBUSY);
            close(fd);
            unload();
        }
}

static void lost_at_any_time(void) {
    at_any_time(FAULT_LOSE);
}

static void reset_at_any_time(void) {
    at_any_time(FAULT_RESET);
}

static void lost_device_refuses(void) {
    char text[64];
    struct kvcpu_bind bind = {.va = 0x10000, .len = BLOCK, .request = 1};
    load("");
    const int fd = open_node();
    fault(FAULT_LOSE, 0);
    FAILS(ioctl(fd, KVCPU_IOC_BIND, &bind), ENODEV);
    FAILS(ioctl(fd, KVCPU_IOC_BIND, &bind), ENODEV);
    CHECK(contents(DEBUG "queues", text, sizeof text) == -1 && errno == ENODEV);
    FAILS(open(NODE, O_RDWR), ENODEV);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0x4000) == MAP_FAILED && errno == ENODEV);
    close(fd);
    unload();
}

/* ------------------------------------------------------------------ signals */

static void on_alarm(int number) {
    (void)number;
}

/* A process that has the device's lock until the limit, as the device was reset in the middle of its command. */
static pid_t holder(int fd) {
    configure();
    for (unsigned n = 0; n < 32; n++) insert(fd, 1, n * TOKENS, 1);
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct kvcpu_free freed = {.request = 1};
        fault(FAULT_RESET, 300);
        ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed);
        _exit(0);
    }
    wait_ms(2);
    const struct itimerval timer = {.it_value = {0, 5000}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    return child;
}

static int step(int fd) {
    const struct kvcpu_step arg = {1};
    return ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &arg);
}

static int weights(int fd) {
    const struct kvcpu_weights arg = {1, 1, 1, 1, 0, 65535};
    return ioctl(fd, KVCPU_IOC_SET_WEIGHTS, &arg);
}

static int telemetry(int fd) {
    struct kvcpu_telemetry arg;
    return ioctl(fd, KVCPU_IOC_GET_TELEMETRY, &arg);
}

static int look(int fd) {
    struct kvcpu_lookup arg;
    return lookup(fd, 1, 0, &arg);
}

static int mark(int fd) {
    return hint(fd, KVCPU_IOC_MARK_HOT, 0x100000, BLOCK, 0);
}

static int store(int fd) {
    (void)fd;
    return try_put(SYS "weight_r", "1");
}

static int show(int fd) {
    char text[64];
    (void)fd;
    return contents(DEBUG "entries", text, sizeof text);
}

static void signals_end_waits_for_locks(void) {
    static int (*const calls[])(int) = {weights, telemetry, look, mark, store, show};
    const struct sigaction action = {.sa_handler = on_alarm};
    load("");
    const int fd = open_node(), other = open_node();
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    bind_blocks(fd, 0x100000, 1, 1, 0);
    for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
        const pid_t child = holder(other);
        FAILS(calls[n](fd), EINTR);
        CHECK(waitpid(child, NULL, 0) == child);
    }
    const pid_t child = holder(other); /* of the open file, too */
    FAILS(step(other), EINTR);
    CHECK(waitpid(child, NULL, 0) == child);
    close(other);
    close(fd);
    unload();
}

/* A range of more blocks than the device has entries goes out in pieces, between which a signal ends the call. */
static void a_signal_ends_a_long_range(void) {
    const struct sigaction action = {.sa_handler = on_alarm};
    int interrupted = 0;
    load("");
    const int fd = open_node();
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    bind_blocks(fd, UINT64_C(1) << 32, 1 << 16, 1, 0);
    for (int us = 1; us < 200 && !interrupted; us += 10) {
        const struct itimerval timer = {.it_value = {0, us}}, off = {0};
        CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
        const int result = hint(fd, KVCPU_IOC_MARK_HOT, UINT64_C(1) << 32, (UINT64_C(1) << 16) * BLOCK, 0);
        CHECK(result == 0 || errno == EINTR);
        interrupted += result != 0;
        CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
    }
    CHECK(interrupted);
    close(fd);
    unload();
}

/* MSI is refused: INTx is asked for instead, which User Mode Linux does not give; the probe gives everything back. */
static void without_msi(void) {
    put(PCI "msi_bus", "0");
    load("");
    CHECK(access(NODE, F_OK) == -1);
    unload();
    put(PCI "msi_bus", "1");
    load("");
    close(open_node());
    unload();
}

static const struct test tests[] = {
    TEST(unknown_id), TEST(unknown_version), TEST(unknown_caps), TEST(window_too_small), TEST(reset_that_does_not_end),
    TEST(lost_before_probe), TEST(a_reset_has_a_limit), TEST(a_command_has_a_limit), TEST(a_device_that_stays_in_reset),
    TEST(no_memory_for_a_file), TEST(no_memory_for_requests), TEST(no_memory_for_the_node), TEST(no_number_for_a_node),
    TEST(lost_device_refuses), TEST(lost_at_any_time), TEST(reset_at_any_time), TEST(signals_end_waits_for_locks), TEST(a_signal_ends_a_long_range),
    TEST(without_msi), END,
};
const struct suite errors_suite = {"errors", NULL, tests};

/* A suite of its own, after which no leaks are looked for: class_create() of Linux 6.1 leaks a name on its error path. */
static const struct test memory_tests[] = {TEST(no_memory_for_the_module), END};
const struct suite memory_suite = {"memory", NULL, memory_tests};
