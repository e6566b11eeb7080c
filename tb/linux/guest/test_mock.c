/* mock=1: a node without hardware, in addition to the devices that are there. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

#define MOCK "/dev/kvcpu1"

static void the_published_calls_work(void) {
    const struct kvcpu_step step = {128};
    const struct kvcpu_weights weights = {3, 5, 7, 11, 1024, 40960};
    struct kvcpu_telemetry seen;
    const int fd = open(MOCK, O_RDWR);
    CHECK(fd >= 0);
    CHECK(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
    CHECK(hint(fd, KVCPU_IOC_MARK_HOT, 0x7f001000, 4096, 0) == 0);
    CHECK(hint(fd, KVCPU_IOC_EVICT, 0x7f002000, 8192, 0) == 0);
    CHECK(hint(fd, KVCPU_IOC_PREFETCH, 0x7f003000, 4096, 256) == 0);
    CHECK(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x7f004000, 16384, 0) == 0);
    CHECK(ioctl(fd, KVCPU_IOC_SET_WEIGHTS, &weights) == 0);
    CHECK(ioctl(fd, KVCPU_IOC_GET_TELEMETRY, &seen) == 0);
    CHECK(seen.current_step == 128 && seen.share_count == 1 && seen.last_va == 0x7f004000);
    CHECK(memcmp(&seen.w_r, &weights, sizeof weights) == 0);
    close(fd);
}

static void it_is_an_empty_device(void) {
    struct kvcpu_insert block = {.token = 0, .request = 1, .token_end = 15};
    struct kvcpu_lookup found;
    char text[64];
    struct kvcpu_free freed = {.request = 1};
    struct kvcpu_migrate move = {.request = 1, .tier = 2};
    const struct kvcpu_block gone = {.request = 1};
    const int fd = open(MOCK, O_RDWR);
    CHECK(fd >= 0);
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, &block), ENOMEM);
    FAILS(lookup(fd, 1, 0, &found), ENOENT);
    FAILS(ioctl(fd, KVCPU_IOC_REMOVE, &gone), ENOENT);
    FAILS(ioctl(fd, KVCPU_IOC_MIGRATE, &move), ENOENT);
    CHECK(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed) == 0 && freed.removed == 0 && freed.stayed == 0);
    bind_blocks(fd, 0x10000, 4, 1, 0);
    CHECK(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x10000, 4 * BLOCK, 0) == 0);
    put("/sys/class/kv_cpu/kvcpu1/reset", "1");
    CHECK(contents("/sys/kernel/debug/kv_cpu/kvcpu1/entries", text, sizeof text) == 0);
    close(fd);
}

static const struct test tests[] = {TEST(the_published_calls_work), TEST(it_is_an_empty_device), END};
const struct suite mock_suite = {"mock", "mock=1", tests};
