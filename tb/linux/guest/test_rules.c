/* Who may do what: the node, mmap, sysfs. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

#define WINDOW 0x4000

static void drop(void) {
    CHECK(setgid(65534) == 0 && setuid(65534) == 0);
}

static void only_user(void) {
    drop();
    FAILS(open(NODE, O_RDWR), EACCES);
    FAILS(try_put(SYS "weight_r", "1"), EACCES);
    FAILS(try_put(SYS "reset", "1"), EACCES);
    CHECK(get(SYS "current_step") == 0);
}

static void a_user_may_not(void) {
    struct stat node;
    CHECK(stat(NODE, &node) == 0 && (node.st_mode & 0777) == 0600);
    CHECK(in_child(only_user) == 0);
}

static void mapped_by_user(void) {
    const int fd = open_node();
    drop();
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
}

/* User Mode Linux cannot map registers: what passes every rule ends with ENODEV there. */
static void mmap_has_rules(void) {
    const int fd = open_node();
    CHECK(in_child(mapped_by_user) == 0);
    CHECK(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, WINDOW) == MAP_FAILED && errno == EACCES);
    CHECK(mmap(NULL, 1024 * 32 + 4096, PROT_READ, MAP_SHARED, fd, WINDOW) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, WINDOW + 1024 * 32) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, WINDOW) == MAP_FAILED && errno == ENODEV);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV);
    close(fd);
}

static void sysfs_checks_values(void) {
    put(SYS "weight_r", "0xff");
    CHECK(get(SYS "weight_r") == 255);
    FAILS(try_put(SYS "weight_r", "256"), EINVAL);
    FAILS(try_put(SYS "weight_r", "x"), EINVAL);
    FAILS(try_put(SYS "weight_r", "-1"), EINVAL);
    FAILS(try_put(SYS "reset", "2"), EINVAL);
    put(SYS "prefetch_thresh", "10");
    FAILS(try_put(SYS "evict_thresh", "11"), EBUSY); /* the device refuses it */
    CHECK(get(SYS "evict_thresh") == 0);
    put(SYS "evict_thresh", "10");
}

static void a_tier_in_use_stays(void) {
    const int fd = open_node();
    configure();
    insert(fd, 2, 0, 1);
    FAILS(try_put(SYS "tiers/tier1_slots", "32"), EBUSY);
    FAILS(try_put(SYS "tiers/tier1_base", "0"), EBUSY);
    FAILS(try_put(SYS "block_bytes", "4096"), EBUSY);
    CHECK(get(SYS "tiers/tier1_slots") == 64 && get(SYS "tiers/tier1_free") == 63);
    put(SYS "tiers/tier0_slots", "32");
    CHECK(get(SYS "tiers/tier0_free") == 32);
    close(fd);
}

static void debugfs_shows_queues(void) {
    char text[256];
    CHECK(contents(DEBUG "queues", text, sizeof text) > 0);
    CHECK(strcmp(text, "commands 0\nevict 0\nprefetch 0\nmisses 0\ncompletions 0\n") == 0);
    CHECK(contents(DEBUG "entries", text, sizeof text) == 0);
}

static const struct test tests[] = {
    TEST(a_user_may_not), TEST(mmap_has_rules), TEST(sysfs_checks_values), TEST(a_tier_in_use_stays),
    TEST(debugfs_shows_queues), END,
};
const struct suite rules_suite = {"rules", "", tests};
