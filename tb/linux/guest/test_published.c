/* The published interface: a program that knows nothing of the project, and every error path of its calls. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

static void smoke_program(void) {
    CHECK(program("smoke", (const char *const[]){NULL}) == 0);
}

/* A user's tool, one process for each command. */
static void command_line_tool(void) {
    static const char *const commands[][8] = {
        {"step", "128"}, {"hot", "0x7f001000", "4096"}, {"evict", "0x7f002000", "8192"},
        {"prefetch", "0x7f003000", "4096", "256"}, {"share", "0x7f004000", "16384"},
        {"weights", "3", "5", "7", "11", "1024", "40960"}, {"telemetry"},
    };
    for (size_t n = 0; n < sizeof commands / sizeof *commands; n++) CHECK(program("kvctl", commands[n]) == 0);
    CHECK(get(SYS "current_step") == 128 && get(SYS "weight_d") == 11 && get(SYS "prefetch_thresh") == 40960);
    CHECK(program("kvctl", (const char *const[]){"hot", "0x7f001000", "0", NULL}) == 1);
    CHECK(program("kvctl", (const char *const[]){"step", "4294967296", NULL}) == 1);
    CHECK(program("kvctl", (const char *const[]){"step", NULL}) == 2);
}

static void numbers(void) {
    CHECK(KVCPU_IOC_STEP_ADVANCE == 0x40084B01 && KVCPU_IOC_MARK_HOT == 0x40184B02 && KVCPU_IOC_EVICT == 0x40184B03);
    CHECK(KVCPU_IOC_PREFETCH == 0x40184B04 && KVCPU_IOC_SHARE_PREFIX == 0x40184B05);
    CHECK(KVCPU_IOC_SET_WEIGHTS == 0x40184B06 && KVCPU_IOC_GET_TELEMETRY == 0x80604B07);
    CHECK(sizeof(struct kvcpu_telemetry) == 96 && sizeof(struct kvcpu_event) == 32);
}

static void range_errors(void) {
    static const unsigned long calls[] = {KVCPU_IOC_MARK_HOT, KVCPU_IOC_EVICT, KVCPU_IOC_PREFETCH,
                                          KVCPU_IOC_SHARE_PREFIX, KVCPU_IOC_COOL, KVCPU_IOC_RELEASE};
    const int fd = open_node();
    for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
        FAILS(hint(fd, calls[n], 4096, 0, 0), EINVAL);
        FAILS(hint(fd, calls[n], UINT64_MAX, 2, 0), EINVAL);
        FAILS(hint(fd, calls[n], 4096, 1, UINT64_C(1) << 32), EINVAL);
        FAILS(ioctl(fd, calls[n], (void *)8), EFAULT);
        CHECK(hint(fd, calls[n], UINT64_MAX, 1, 0) == 0);
    }
    struct kvcpu_telemetry seen;
    CHECK(ioctl(fd, KVCPU_IOC_GET_TELEMETRY, &seen) == 0);
    CHECK(seen.hot_count == 1 && seen.evict_count == 1 && seen.prefetch_count == 1 && seen.share_count == 1);
    CHECK(seen.last_va == UINT64_MAX && seen.last_len == 1);
    close(fd);
}

static void weights_errors(void) {
    const struct kvcpu_weights good = {1, 2, 3, 4, 500, 600};
    struct kvcpu_weights bad[] = {{256, 0, 0, 0, 0, 9}, {0, 256, 0, 0, 0, 9}, {0, 0, 256, 0, 0, 9},
                                  {0, 0, 0, 256, 0, 9}, {0, 0, 0, 0, 10, 9}, {0, 0, 0, 0, 0, 65536},
                                  {0, 0, 0, 0, 65536, 65536}};
    struct kvcpu_telemetry seen;
    const int fd = open_node();
    CHECK(ioctl(fd, KVCPU_IOC_SET_WEIGHTS, &good) == 0);
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) FAILS(ioctl(fd, KVCPU_IOC_SET_WEIGHTS, &bad[n]), EINVAL);
    FAILS(ioctl(fd, KVCPU_IOC_SET_WEIGHTS, (void *)8), EFAULT);
    CHECK(ioctl(fd, KVCPU_IOC_GET_TELEMETRY, &seen) == 0);
    CHECK(memcmp(&seen.w_r, &good, sizeof good) == 0);
    CHECK(get(SYS "weight_s") == 3 && get(SYS "prefetch_thresh") == 600);
    close(fd);
}

/* Both thresholds cross the old pair: two writes one after the other would be refused in one of the orders. */
static void thresholds_change_at_once(void) {
    const struct kvcpu_weights low = {1, 1, 1, 1, 10, 20}, high = {1, 1, 1, 1, 30, 40};
    const int fd = open_node();
    for (int n = 0; n < 2; n++) {
        CHECK(ioctl(fd, KVCPU_IOC_SET_WEIGHTS, &low) == 0);
        CHECK(get(SYS "evict_thresh") == 10 && get(SYS "prefetch_thresh") == 20);
        CHECK(ioctl(fd, KVCPU_IOC_SET_WEIGHTS, &high) == 0);
        CHECK(get(SYS "evict_thresh") == 30 && get(SYS "prefetch_thresh") == 40);
    }
    close(fd);
}

static void step_is_the_devices(void) {
    const struct kvcpu_step step = {UINT32_MAX}, over = {UINT64_C(1) << 32};
    const int fd = open_node();
    CHECK(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
    CHECK(get(SYS "current_step") == UINT32_MAX);
    FAILS(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &over), EINVAL);
    wait_ms(1);
    CHECK(get(SYS "counters/scan_count") == 1);
    close(fd);
}

static void unknown_requests(void) {
    struct kvcpu_step step = {1};
    const int fd = open_node();
    FAILS(ioctl(fd, 0x40084B63, &step), ENOTTY);
    FAILS(ioctl(fd, 0x80084B01, &step), ENOTTY);
    FAILS(ioctl(fd, 0x40104B01, &step), ENOTTY);
    FAILS(ioctl(fd, 0x40084A01, &step), ENOTTY);
    FAILS(ioctl(fd, 0, &step), ENOTTY);
    FAILS(ioctl(fd, KVCPU_IOC_GET_TELEMETRY, (void *)8), EFAULT);
    FAILS(ioctl(fd, KVCPU_IOC_GET_TELEMETRY, (void *)-4096), EFAULT);
    close(fd);
}

static const struct test tests[] = {
    TEST(smoke_program), TEST(command_line_tool), TEST(numbers), TEST(range_errors), TEST(weights_errors), TEST(thresholds_change_at_once),
    TEST(step_is_the_devices), TEST(unknown_requests), END,
};
const struct suite published_suite = {"published", "", tests};
