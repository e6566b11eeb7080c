/* Ranges of user bytes: how they are bound to blocks, and what each hint does to them. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

static int bind_range(int fd, uint64_t va, uint64_t len, unsigned token) {
    struct kvcpu_bind bind = {.va = va, .len = len, .token = token, .request = 2};
    return ioctl(fd, KVCPU_IOC_BIND, &bind);
}

static void bind_is_refused(void) {
    struct kvcpu_unbind forget = {0x20000};
    const int fd = open_node();
    FAILS(bind_range(fd, 0x10000, 0, 0), EINVAL);
    FAILS(bind_range(fd, UINT64_MAX, 2, 0), EINVAL);
    FAILS(bind_range(fd, 0x10000, BLOCK, 8), EINVAL);
    FAILS(bind_range(fd, 0x10000, 2 * BLOCK, UINT32_MAX - 15), EINVAL);
    FAILS(bind_range(fd, 0, UINT64_MAX, 0), EINVAL);
    CHECK(bind_range(fd, 0x20000, 2 * BLOCK, 0) == 0);
    FAILS(bind_range(fd, 0x20000 + 2 * BLOCK - 1, 1, 64), EINVAL);
    FAILS(bind_range(fd, 0x1ffff, 2, 64), EINVAL);
    CHECK(bind_range(fd, 0x20000 + 2 * BLOCK, 1, 64) == 0);
    CHECK(bind_range(fd, 0x10000, BLOCK, UINT32_MAX - 15) == 0);
    CHECK(ioctl(fd, KVCPU_IOC_UNBIND, &forget) == 0);
    FAILS(ioctl(fd, KVCPU_IOC_UNBIND, &forget), EINVAL);
    FAILS(ioctl(fd, KVCPU_IOC_BIND, (void *)8), EFAULT);
    FAILS(ioctl(fd, KVCPU_IOC_UNBIND, (void *)8), EFAULT);
    close(fd);
}

static void binds_end_at_a_limit(void) {
    const int fd = open_node();
    for (unsigned n = 0; n < 1024; n++) CHECK(bind_range(fd, (uint64_t)n << 20, 1, 0) == 0);
    FAILS(bind_range(fd, UINT64_C(1) << 40, 1, 0), ENOSPC);
    close(fd);
}

static void hot_and_cool(void) {
    const int fd = open_node();
    configure();
    for (unsigned n = 0; n < 4; n++) insert(fd, 2, n * TOKENS, 1);
    CHECK(bind_range(fd, 0x10000, 4 * BLOCK, 0) == 0);
    CHECK(hint(fd, KVCPU_IOC_MARK_HOT, 0x10000 + BLOCK - 1, 2, 0) == 0); /* one byte of two blocks */
    CHECK(strstr(entry(2, 0), "hot") && strstr(entry(2, 16), "hot") && !strstr(entry(2, 32), "hot"));
    CHECK(hint(fd, KVCPU_IOC_COOL, 0x10000, 1, 0) == 0);
    CHECK(!strstr(entry(2, 0), "hot") && strstr(entry(2, 16), "hot"));
    close(fd);
}

static void evict_moves(void) {
    struct kvcpu_lookup found;
    struct kvcpu_event event;
    const int fd = open_node();
    configure();
    insert(fd, 2, 0, 1);
    CHECK(bind_range(fd, 0x10000, BLOCK, 0) == 0);
    CHECK(hint(fd, KVCPU_IOC_EVICT, 0x10000, 1, 0) == 0);
    CHECK(read(fd, &event, sizeof event) == sizeof event);
    CHECK(event.kind == KVCPU_EVENT_COMPLETION && event.status == KVCPU_COMPLETION_OK);
    CHECK(event.from_tier == 1 && event.to_tier == 2 && event.request == 2 && event.token == 0);
    CHECK(lookup(fd, 2, 0, &found) == 0 && found.tier == 2);
    close(fd);
}

static void prefetch_moves_at_its_step(void) {
    const struct kvcpu_step step = {9};
    struct kvcpu_event event;
    const int fd = open_node();
    configure();
    insert(fd, 2, 0, 2);
    CHECK(bind_range(fd, 0x10000, BLOCK, 0) == 0);
    CHECK(hint(fd, KVCPU_IOC_PREFETCH, 0x10000, 1, 10) == 0);
    CHECK(strstr(entry(2, 0), "tier 2") && strstr(entry(2, 0), "hint"));
    CHECK(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
    CHECK(read(fd, &event, sizeof event) == sizeof event);
    CHECK(event.status == KVCPU_COMPLETION_OK && event.to_tier == 1 && event.step == 9);
    CHECK(strstr(entry(2, 0), "tier 1"));
    close(fd);
}

/* Neighbouring ranges are one command; a hole is a miss, and the blocks after it are named all the same. */
static void ranges_join_and_holes_count(void) {
    const int fd = open_node();
    configure();
    for (unsigned n = 0; n < 4; n++) insert(fd, 2, n * TOKENS, 1);
    CHECK(bind_range(fd, 0x10000, BLOCK, 0) == 0);
    CHECK(bind_range(fd, 0x10000 + BLOCK, BLOCK, 16) == 0);
    CHECK(bind_range(fd, 0x10000 + 4 * BLOCK, BLOCK, 48) == 0);
    CHECK(hint(fd, KVCPU_IOC_MARK_HOT, 0x10000, 6 * BLOCK, 0) == 0);
    CHECK(strstr(entry(2, 0), "hot") && strstr(entry(2, 16), "hot") && !strstr(entry(2, 32), "hot"));
    CHECK(strstr(entry(2, 48), "hot"));
    CHECK(get(SYS "counters/hint_miss_count") == 0);
    close(fd);
}

/* More commands than the device's queue holds: the driver waits for room, none is refused. */
static void many_hints(void) {
    const int fd = open_node();
    configure();
    for (unsigned n = 0; n < 64; n++) insert(fd, 2, n * TOKENS, 3);
    CHECK(bind_range(fd, 0x100000, 64 * BLOCK, 0) == 0);
    for (unsigned n = 0; n < 100; n++)
        CHECK(hint(fd, n % 2 ? KVCPU_IOC_COOL : KVCPU_IOC_MARK_HOT, 0x100000, 64 * BLOCK, 0) == 0);
    CHECK(hint(fd, KVCPU_IOC_MARK_HOT, 0x100000, 64 * BLOCK, 0) == 0);
    wait_ms(1);
    CHECK(get(SYS "counters/cmd_refused_count") == 0 && get(SYS "counters/hint_miss_count") == 0);
    CHECK(strstr(entry(2, 0), "hot") && strstr(entry(2, 63 * TOKENS), "hot"));
    close(fd);
}

/* The last block of a head and the first of the next are neighbours in the user's addresses and in their numbers, but not
 * one run of blocks; and a range that is bound before the one that is meant. */
static void runs_end_with_a_head(void) {
    static char text[1 << 16];
    struct kvcpu_bind last = {.va = 0x100000, .len = BLOCK, .token = 0u - TOKENS, .request = 8};
    struct kvcpu_bind first = {.va = 0x100000 + BLOCK, .len = BLOCK, .request = 8, .head = 1};
    struct kvcpu_insert there = {.token = 0u - TOKENS, .token_end = ~0u, .request = 8, .tier = 1};
    struct kvcpu_insert next = {.token_end = TOKENS - 1, .request = 8, .head = 1, .tier = 1};
    const int fd = open_node();
    configure();
    CHECK(ioctl(fd, KVCPU_IOC_INSERT, &there) == 0 && ioctl(fd, KVCPU_IOC_INSERT, &next) == 0);
    CHECK(ioctl(fd, KVCPU_IOC_BIND, &last) == 0 && ioctl(fd, KVCPU_IOC_BIND, &first) == 0);
    CHECK(hint(fd, KVCPU_IOC_MARK_HOT, 0x1000, 1, 0) == 0); /* of no range */
    CHECK(hint(fd, KVCPU_IOC_MARK_HOT, 0x100000, 2 * BLOCK, 0) == 0);
    CHECK(hint(fd, KVCPU_IOC_EVICT, 0x100000 + BLOCK, BLOCK, 0) == 0);
    CHECK(contents(DEBUG "entries", text, sizeof text) > 0);
    const char *one = strstr(text, ": 8:0:0:4294967280-"), *other = strstr(text, ": 8:0:1:0-");
    CHECK(one && other);
    one = strstr(one, " hot");
    CHECK(one && strchr(strstr(text, ": 8:0:0:4294967280-"), '\n') > one);
    other = strstr(other, " evictable");
    CHECK(other && strchr(strstr(text, ": 8:0:1:0-"), '\n') > other);
    close(fd);
}

static const struct test tests[] = {
    TEST(bind_is_refused), TEST(binds_end_at_a_limit), TEST(hot_and_cool), TEST(evict_moves),
    TEST(prefetch_moves_at_its_step), TEST(ranges_join_and_holes_count), TEST(many_hints), TEST(runs_end_with_a_head), END,
};
const struct suite hints_suite = {"hints", "", tests};
