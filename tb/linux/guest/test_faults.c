/* The device is reset or lost, also in the middle of what it does. */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static void soft_reset_empties(void) {
    struct kvcpu_lookup found;
    const int fd = open_node();
    configure();
    insert(fd, 1, 0, 1);
    bind_blocks(fd, 0x10000, 1, 1, 0);
    CHECK(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x10000, 1, 0) == 0);
    put(SYS "reset", "1");
    FAILS(lookup(fd, 1, 0, &found), ENOENT);
    CHECK(get(SYS "tiers/tier1_slots") == 64 && get(SYS "tiers/tier1_free") == 64);
    insert(fd, 1, 0, 1);
    close(fd); /* its reference went with the reset: nothing is given back twice */
    CHECK(get(SYS "counters/ref_underflow_count") == 0);
}

/* Its reset pin, while a command runs: the wait ends, the device works again, empty. */
static void reset_in_mid_command(void) {
    struct kvcpu_free freed = {.request = 1};
    struct kvcpu_lookup found;
    const int fd = open_node();
    configure();
    for (unsigned n = 0; n < 32; n++) insert(fd, 1, n * TOKENS, 1);
    fault(FAULT_RESET, 300);
    FAILS(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed), ECANCELED);
    FAILS(lookup(fd, 1, 0, &found), ENOENT);
    CHECK(get(SYS "tiers/tier1_slots") == 0);
    configure();
    insert(fd, 1, 0, 1);
    CHECK(lookup(fd, 1, 0, &found) == 0);
    close(fd);
}

/* Through the driver, while another process waits for a command: the wait ends at once. */
static void soft_reset_in_mid_command(void) {
    const int fd = open_node();
    int begins[2], cancelled = 0;
    char byte = 0;
    configure();
    CHECK(pipe(begins) == 0 && prctl(PR_SET_TIMERSLACK, 1) == 0);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned n = 0; n < 32; n++) insert(fd, 1, n * TOKENS, 1);
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            struct kvcpu_free freed = {.request = 1};
            if (write(begins[1], &byte, 1) != 1) _exit(2);
            const int result = ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed);
            _exit(result == 0 ? 0 : errno == ECANCELED ? 1 : 2);
        }
        const struct timespec later = {0, 200L << round}; /* one of these is within the command */
        CHECK(read(begins[0], &byte, 1) == 1);
        nanosleep(&later, NULL);
        put(SYS "reset", "1");
        int status = -1;
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) < 2);
        cancelled += WEXITSTATUS(status);
        CHECK(get(SYS "tiers/tier1_free") == 64);
    }
    CHECK(cancelled > 0);
    close(fd);
}

static void everything_fails(int fd) {
    struct kvcpu_step step = {1};
    struct kvcpu_telemetry seen;
    struct kvcpu_event event;
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    char text[64];
    FAILS(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &step), ENODEV);
    FAILS(ioctl(fd, KVCPU_IOC_GET_TELEMETRY, &seen), ENODEV);
    FAILS(read(fd, &event, sizeof event), ENODEV);
    CHECK(poll(&asked, 1, 0) == 1 && asked.revents & POLLERR);
    CHECK(contents(SYS "current_step", text, sizeof text) == -1 && errno == ENODEV);
    FAILS(try_put(SYS "weight_r", "1"), ENODEV);
    FAILS(try_put(SYS "reset", "1"), ENODEV);
}

static void lost_while_idle(void) {
    const int fd = open_node();
    configure();
    insert(fd, 1, 0, 1);
    bind_blocks(fd, 0x10000, 1, 1, 0);
    CHECK(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x10000, 1, 0) == 0);
    fault(FAULT_LOSE, 0);
    everything_fails(fd);
    FAILS(hint(fd, KVCPU_IOC_RELEASE, 0x10000, 1, 0), ENODEV);
    close(fd);
}

static void lost_in_mid_command(void) {
    struct kvcpu_free freed = {.request = 1};
    const int fd = open_node();
    configure();
    for (unsigned n = 0; n < 32; n++) insert(fd, 1, n * TOKENS, 1);
    fault(FAULT_LOSE, 300);
    FAILS(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed), ENODEV);
    everything_fails(fd);
    close(fd);
}

/* A process that waits in read is woken when another finds that the device is lost. */
static void lost_while_reading(void) {
    struct kvcpu_step step = {1};
    const int fd = open_node();
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct kvcpu_event event;
        _exit(read(fd, &event, sizeof event) == -1 && errno == ENODEV ? 0 : 1);
    }
    wait_ms(2);
    fault(FAULT_LOSE, 0);
    FAILS(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &step), ENODEV);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    close(fd);
}

/* An entry with bad parity is a miss; the driver reports it and goes on. */
static void bad_parity_is_a_miss(void) {
    struct kvcpu_lookup found;
    const int fd = open_node();
    configure();
    insert(fd, 1, 0, 1);
    insert(fd, 1, TOKENS, 1);
    CHECK(lookup(fd, 1, 0, &found) == 0);
    const uint64_t before = get(SYS "interrupts");
    bad_parity(found.index);
    for (unsigned n = 0; n < 12; n++) FAILS(lookup(fd, 1, 0, &found), ENOENT); /* not each is worth a line of the log */
    nanosleep(&(struct timespec){0, 20000}, NULL);
    CHECK(get(SYS "counters/parity_count") == 12 && get(SYS "interrupts") > before);
    CHECK(lookup(fd, 1, TOKENS, &found) == 0);
    close(fd);
}

/* In the middle of a hint that goes out in many pieces. */
static void lost_in_mid_hint(void) {
    const int fd = open_node();
    for (unsigned n = 0; n < 40; n++) bind_blocks(fd, 0x100000 + n * 2 * BLOCK, 1, 1, n * 2 * TOKENS);
    fault(FAULT_LOSE, 1000);
    FAILS(hint(fd, KVCPU_IOC_MARK_HOT, 0x100000, 80 * BLOCK, 0), ENODEV);
    close(fd);
}

/* While debugfs goes through the directory. */
static void lost_in_mid_list(void) {
    static char text[1 << 16];
    const int fd = open_node();
    configure();
    insert(fd, 1, 0, 1);
    fault(FAULT_LOSE, 10000);
    CHECK(contents(DEBUG "entries", text, sizeof text) == -1 && errno == ENODEV);
    close(fd);
}

/* The device's queue of commands is full, or has this many in it, for as long as they take: 4 us each. */
static int with_commands(unsigned count) {
    const int fd = open_node();
    configure();
    insert(fd, 1, 0, 1);
    bind_blocks(fd, 0x1000000, 1000, 1, 0);
    CHECK(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x1000000, BLOCK, 0) == 0);
    for (unsigned n = 0; n < count; n++) CHECK(hint(fd, KVCPU_IOC_MARK_HOT, 0x1000000, 1000 * BLOCK, 0) == 0);
    return fd;
}

/* Who waits for a place in the queue, or for its end. */
static void reset_while_commands_wait(void) {
    struct kvcpu_lookup found;
    int fd = with_commands(16);
    fault(FAULT_RESET, 1000);
    FAILS(hint(fd, KVCPU_IOC_MARK_HOT, 0x1000000, BLOCK, 0), ECANCELED);
    close(fd);
    fd = with_commands(16);
    fault(FAULT_RESET, 1000);
    FAILS(lookup(fd, 1, 0, &found), ECANCELED);
    close(fd);
    fd = with_commands(16);
    fault(FAULT_RESET, 1000);
    FAILS(hint(fd, KVCPU_IOC_RELEASE, 0x1000000, BLOCK, 0), ECANCELED);
    close(fd);
    fd = with_commands(4);
    fault(FAULT_RESET, 1000);
    FAILS(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x1000000, BLOCK, 0), ECANCELED);
    close(fd);
}

static void lost_while_commands_wait(void) {
    const int fd = with_commands(16);
    fault(FAULT_LOSE, 1000);
    FAILS(hint(fd, KVCPU_IOC_MARK_HOT, 0x1000000, BLOCK, 0), ENODEV);
    close(fd);
}

static void soft_reset_while_commands_wait(void) {
    const int fd = with_commands(16);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        nanosleep(&(struct timespec){0, 1000}, NULL);
        put(SYS "reset", "1");
        _exit(0);
    }
    int result;
    do result = hint(fd, KVCPU_IOC_MARK_HOT, 0x1000000, 1000 * BLOCK, 0);
    while (result == 0);
    CHECK(errno == ECANCELED);
    CHECK(waitpid(child, NULL, 0) == child);
    close(fd);
}

static const struct test tests[] = {
    TEST(soft_reset_empties), TEST(reset_in_mid_command), TEST(soft_reset_in_mid_command), TEST(lost_while_idle),
    TEST(lost_in_mid_command), TEST(lost_while_reading), TEST(bad_parity_is_a_miss), TEST(lost_in_mid_hint),
    TEST(lost_in_mid_list), TEST(reset_while_commands_wait), TEST(lost_while_commands_wait),
    TEST(soft_reset_while_commands_wait), END,
};
const struct suite faults_suite = {"faults", "timeout_ms=10", tests};
