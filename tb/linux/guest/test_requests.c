/* The directory requests: what they do, and each way in which they are refused. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

static void insert_and_lookup(void) {
    struct kvcpu_insert block = {.token = 32, .request = 9, .layer = 1, .head = 2, .token_end = 40, .tier = 1,
                                 .flags = KVCPU_INSERT_HOT | KVCPU_INSERT_PREFIX};
    struct kvcpu_lookup found = {.token = 40, .request = 9, .layer = 1, .head = 2};
    const int fd = open_node();
    configure();
    CHECK(ioctl(fd, KVCPU_IOC_INSERT, &block) == 0);
    CHECK(block.phys_addr >> 28 == 1);
    CHECK(ioctl(fd, KVCPU_IOC_LOOKUP, &found) == 0);
    CHECK(found.tier == 1 && found.phys_addr == block.phys_addr && found.index == block.index);
    found.token = 41;
    FAILS(ioctl(fd, KVCPU_IOC_LOOKUP, &found), ENOENT);
    CHECK(found.request == 9);
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, &block), EEXIST);
    close(fd);
}

static void insert_is_refused(void) {
    const struct kvcpu_insert good = {.token = 16, .request = 3, .token_end = 31, .tier = 0};
    struct kvcpu_insert block = good;
    const int fd = open_node();
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, &block), ENOMEM); /* no tier has a slot yet */
    configure();
    put(SYS "enable", "1");
    block = good, block.token = 17;
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, &block), EINVAL);
    block = good, block.token_end = 32;
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, &block), EINVAL);
    block = good, block.tier = 4;
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, &block), EINVAL);
    block = good, block.flags = 4;
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, &block), EINVAL);
    block = good, block.reserved = 1;
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, &block), EINVAL);
    block = good, block.reserved2 = 1;
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, &block), EINVAL);
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, (void *)8), EFAULT);
    for (unsigned n = 0; n < 64; n++) insert(fd, 4, n * TOKENS, 0);
    block = good;
    FAILS(ioctl(fd, KVCPU_IOC_INSERT, &block), ENOMEM);
    CHECK(get(SYS "tiers/tier0_free") == 0);
    close(fd);
}

static void lookup_touches_or_peeks(void) {
    const struct kvcpu_step step = {7};
    struct kvcpu_lookup found;
    const int fd = open_node();
    configure();
    insert(fd, 5, 0, 1);
    const uint64_t hits = get(SYS "counters/rtbd_hit_count");
    CHECK(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
    CHECK(lookup(fd, 5, 3, &found) == 0);
    CHECK(get(SYS "counters/rtbd_hit_count") == hits);
    found.flags = KVCPU_LOOKUP_TOUCH;
    CHECK(ioctl(fd, KVCPU_IOC_LOOKUP, &found) == 0);
    CHECK(get(SYS "counters/rtbd_hit_count") == hits + 1);
    found.flags = 2;
    FAILS(ioctl(fd, KVCPU_IOC_LOOKUP, &found), EINVAL);
    found.flags = 0, found.reserved = 1;
    FAILS(ioctl(fd, KVCPU_IOC_LOOKUP, &found), EINVAL);
    FAILS(ioctl(fd, KVCPU_IOC_LOOKUP, (void *)8), EFAULT);
    close(fd);
}

static void remove_and_free(void) {
    const struct kvcpu_block block = {.token = 5, .request = 6}, shared = {.token = 16, .request = 6};
    struct kvcpu_free freed = {.request = 6};
    const int fd = open_node();
    configure();
    FAILS(ioctl(fd, KVCPU_IOC_REMOVE, &block), ENOENT);
    for (unsigned n = 0; n < 8; n++) insert(fd, 6, n * TOKENS, 2);
    CHECK(ioctl(fd, KVCPU_IOC_REMOVE, &block) == 0);
    FAILS(ioctl(fd, KVCPU_IOC_REMOVE, &block), ENOENT);
    bind_blocks(fd, 0x10000, 1, 6, 16);
    CHECK(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x10000, 1, 0) == 0);
    FAILS(ioctl(fd, KVCPU_IOC_REMOVE, &shared), EBUSY);
    CHECK(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed) == 0);
    CHECK(freed.removed == 6 && freed.stayed == 1);
    for (unsigned bad = 0; bad < 2; bad++) {
        freed = (struct kvcpu_free){.request = bad ? 65536 : 0};
        FAILS(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed), EINVAL);
    }
    freed = (struct kvcpu_free){.request = 6, .reserved = 1};
    FAILS(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed), EINVAL);
    FAILS(ioctl(fd, KVCPU_IOC_REMOVE, (void *)8), EFAULT);
    FAILS(ioctl(fd, KVCPU_IOC_FREE_REQUEST, (void *)8), EFAULT);
    close(fd);
}

static void migrate_is_refused(void) {
    struct kvcpu_migrate move = {.token = 0, .request = 7, .tier = 2};
    const int fd = open_node();
    configure();
    put(SYS "block_bytes", "65536"); /* a move takes long enough to meet the next request */
    FAILS(ioctl(fd, KVCPU_IOC_MIGRATE, &move), ENOENT);
    insert(fd, 7, 0, 1);
    move.tier = 1;
    FAILS(ioctl(fd, KVCPU_IOC_MIGRATE, &move), EINVAL);
    move.tier = 4;
    FAILS(ioctl(fd, KVCPU_IOC_MIGRATE, &move), EINVAL);
    move.tier = 2, move.reserved = 1;
    FAILS(ioctl(fd, KVCPU_IOC_MIGRATE, &move), EINVAL);
    move.reserved = 0;
    FAILS(ioctl(fd, KVCPU_IOC_MIGRATE, (void *)8), EFAULT);
    bind_blocks(fd, 0x10000, 1, 7, 0);
    CHECK(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x10000, 1, 0) == 0);
    FAILS(ioctl(fd, KVCPU_IOC_MIGRATE, &move), EBUSY);
    CHECK(hint(fd, KVCPU_IOC_RELEASE, 0x10000, 1, 0) == 0);
    CHECK(ioctl(fd, KVCPU_IOC_MIGRATE, &move) == 0);
    FAILS(ioctl(fd, KVCPU_IOC_MIGRATE, &move), EAGAIN);
    close(fd);
}

static const struct test tests[] = {
    TEST(insert_and_lookup), TEST(insert_is_refused), TEST(lookup_touches_or_peeks), TEST(remove_and_free),
    TEST(migrate_is_refused), END,
};
const struct suite requests_suite = {"requests", "", tests};
