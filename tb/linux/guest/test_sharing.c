/* References belong to open files, and a file that is closed gives back what it has. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static int node;

static int references(unsigned token) {
    int count = -1;
    const char *line = entry(1, token), *at = strstr(line, "refs ");
    if (at) sscanf(at, "refs %d", &count);
    return count;
}

static void begin(void) {
    node = open_node();
    configure();
    for (unsigned n = 0; n < 4; n++) insert(node, 1, n * TOKENS, 1);
    bind_blocks(node, 0x10000, 4, 1, 0);
}

static void close_gives_back(void) {
    begin();
    CHECK(hint(node, KVCPU_IOC_SHARE_PREFIX, 0x10000, 4 * BLOCK, 0) == 0);
    CHECK(hint(node, KVCPU_IOC_SHARE_PREFIX, 0x10000, 1, 0) == 0);
    CHECK(references(0) == 2 && references(16) == 1 && references(48) == 1);
    CHECK(hint(node, KVCPU_IOC_RELEASE, 0x10000 + BLOCK, BLOCK, 0) == 0);
    CHECK(references(16) == 0);
    close(node);
    wait_ms(1);
    CHECK(references(0) == 0 && references(16) == 0 && references(48) == 0);
    CHECK(get(SYS "counters/ref_underflow_count") == 0);
}

/* A file gives back its own references only. */
static void release_is_of_ones_own(void) {
    begin();
    const int other = open_node();
    bind_blocks(other, 0x10000, 4, 1, 0);
    CHECK(hint(node, KVCPU_IOC_SHARE_PREFIX, 0x10000, BLOCK, 0) == 0);
    CHECK(hint(other, KVCPU_IOC_RELEASE, 0x10000, BLOCK, 0) == 0);
    CHECK(references(0) == 1);
    close(other);
    CHECK(references(0) == 1);
    close(node);
    CHECK(references(0) == 0);
    CHECK(get(SYS "counters/ref_underflow_count") == 0);
}

/* Blocks that are not in the directory get no reference, so none is given back when they are there later. */
static void absent_blocks_are_not_shared(void) {
    begin();
    const int other = open_node();
    bind_blocks(other, 0x10000, 8, 1, 0);
    CHECK(hint(other, KVCPU_IOC_SHARE_PREFIX, 0x10000, 8 * BLOCK, 0) == 0);
    CHECK(references(48) == 1 && references(64) == -1);
    insert(node, 1, 64, 1);
    bind_blocks(node, 0x20000, 1, 1, 64);
    CHECK(hint(node, KVCPU_IOC_SHARE_PREFIX, 0x20000, 1, 0) == 0);
    CHECK(references(64) == 1);
    close(other);
    wait_ms(1);
    CHECK(references(64) == 1 && references(48) == 0);
    close(node);
}

static void share_and_die(void) {
    const int fd = open_node();
    bind_blocks(fd, 0x10000, 4, 1, 0);
    CHECK(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x10000, 4 * BLOCK, 0) == 0);
    CHECK(references(0) == 1);
    _exit(0); /* without close */
}

static void a_process_that_ends_gives_back(void) {
    begin();
    CHECK(in_child(share_and_die) == 0);
    wait_ms(1);
    CHECK(references(0) == 0 && references(48) == 0);
    close(node);
}

/* Two processes at once: every request of each has its own result. */
static void worker(unsigned request) {
    const int fd = open_node();
    for (unsigned round = 0; round < 10; round++) {
        struct kvcpu_lookup found;
        struct kvcpu_free freed = {.request = request};
        for (unsigned n = 0; n < 8; n++) insert(fd, request, n * TOKENS, request % 4);
        for (unsigned n = 0; n < 8; n++)
            CHECK(lookup(fd, request, n * TOKENS, &found) == 0 && found.tier == request % 4);
        CHECK(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed) == 0 && freed.removed == 8 && freed.stayed == 0);
    }
    close(fd);
}

static void two_processes(void) {
    int status;
    node = open_node();
    configure();
    fflush(stdout);
    for (unsigned n = 0; n < 2; n++) {
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            worker(20 + n);
            _exit(0);
        }
    }
    for (unsigned n = 0; n < 2; n++) CHECK(wait(&status) > 0 && status == 0);
    close(node);
}

/* The last block of a head and the first of the next are given back one by one. */
static void close_gives_back_two_heads(void) {
    static char text[1 << 16];
    struct kvcpu_bind last = {.va = 0x100000, .len = BLOCK, .token = 0u - TOKENS, .request = 8};
    struct kvcpu_bind first = {.va = 0x100000 + BLOCK, .len = BLOCK, .request = 8, .head = 1};
    struct kvcpu_insert there = {.token = 0u - TOKENS, .token_end = ~0u, .request = 8, .tier = 1};
    struct kvcpu_insert next = {.token_end = TOKENS - 1, .request = 8, .head = 1, .tier = 1};
    const int fd = open_node();
    configure();
    CHECK(ioctl(fd, KVCPU_IOC_INSERT, &there) == 0 && ioctl(fd, KVCPU_IOC_INSERT, &next) == 0);
    CHECK(ioctl(fd, KVCPU_IOC_BIND, &last) == 0 && ioctl(fd, KVCPU_IOC_BIND, &first) == 0);
    CHECK(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x100000, 2 * BLOCK, 0) == 0);
    CHECK(contents(DEBUG "entries", text, sizeof text) > 0 && !strstr(text, "refs 0"));
    close(fd);
    CHECK(contents(DEBUG "entries", text, sizeof text) > 0 && !strstr(text, "refs 1"));
    CHECK(get(SYS "counters/ref_underflow_count") == 0);
}

static const struct test tests[] = {
    TEST(close_gives_back), TEST(release_is_of_ones_own), TEST(absent_blocks_are_not_shared),
    TEST(a_process_that_ends_gives_back), TEST(two_processes), TEST(close_gives_back_two_heads), END,
};
const struct suite sharing_suite = {"sharing", "", tests};
