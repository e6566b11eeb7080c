/* madvise() of the driver's own mapping does what the range calls do; everywhere else the hints are refused. */
#define _GNU_SOURCE /* mremap */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

#define MADV_KV_HOT 104
#define MADV_KV_EVICT 105
#define MADV_KV_PREFETCH 106
#define REQUEST 6

static int node;

static char *hints(size_t bytes) {
    char *at = mmap(NULL, bytes, PROT_NONE, MAP_SHARED, node, (off_t)KVCPU_MAP_HINTS);
    CHECK(at != MAP_FAILED);
    return at;
}

static void moved_to(unsigned tier) {
    struct kvcpu_event event;
    CHECK(read(node, &event, sizeof event) == sizeof event);
    CHECK(event.status == KVCPU_COMPLETION_OK && event.to_tier == tier && event.request == REQUEST);
}

static void hints_reach_the_device(void) {
    struct kvcpu_telemetry seen;
    node = open_node();
    configure();
    for (unsigned n = 0; n < 4; n++) insert(node, REQUEST, n * TOKENS, 1);
    char *at = hints(4 * BLOCK);
    bind_blocks(node, (uint64_t)at, 4, REQUEST, 0);
    CHECK(madvise(at + BLOCK, 2 * BLOCK, MADV_KV_HOT) == 0);
    CHECK(!strstr(entry(REQUEST, 0), "hot") && strstr(entry(REQUEST, 16), "hot") && strstr(entry(REQUEST, 32), "hot"));
    CHECK(!strstr(entry(REQUEST, 48), "hot"));
    CHECK(madvise(at, 1, MADV_KV_EVICT) == 0);
    moved_to(2);
    CHECK(madvise(at, BLOCK, MADV_KV_PREFETCH) == 0);
    moved_to(1);
    CHECK(ioctl(node, KVCPU_IOC_GET_TELEMETRY, &seen) == 0);
    CHECK(seen.hot_count == 1 && seen.evict_count == 1 && seen.prefetch_count == 1);
    CHECK(seen.last_va == (uint64_t)at && seen.last_len == BLOCK);
    close(node); /* the mapping keeps the file */
    CHECK(madvise(at, BLOCK, MADV_KV_HOT) == 0);
}

/* A prefetch is for the step that the device is at. */
static void prefetch_is_for_now(void) {
    const struct kvcpu_step step = {77};
    node = open_node();
    configure();
    insert(node, REQUEST, 0, 2);
    CHECK(ioctl(node, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
    char *at = hints(BLOCK);
    bind_blocks(node, (uint64_t)at, 1, REQUEST, 0);
    CHECK(madvise(at, BLOCK, MADV_KV_PREFETCH) == 0);
    moved_to(1);
    close(node);
}

static void without_a_handler(void) {
    node = open_node();
    char *at = hints(2 * 4096);
    char *other = mmap(at + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(other == at + 4096);
    for (int advice = MADV_KV_HOT; advice <= MADV_KV_PREFETCH; advice++) {
        FAILS(madvise(other, 4096, advice), EINVAL);
        FAILS(madvise(at, 2 * 4096, advice), EINVAL); /* a part of the range has none */
        CHECK(madvise(at, 4096, advice) == 0);        /* not bound: a miss, as of the range calls */
    }
    FAILS(madvise(at, 4096, MADV_KV_PREFETCH + 1), EINVAL);
    FAILS(madvise(at, 4096, MADV_KV_HOT - 1), EINVAL);
    close(node);
}

static void the_mapping_has_no_memory(void) {
    node = open_node();
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, node, (off_t)KVCPU_MAP_HINTS) == MAP_FAILED && errno == EACCES);
    CHECK(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, node, (off_t)KVCPU_MAP_HINTS) == MAP_FAILED && errno == EACCES);
    char *at = hints(4096);
    FAILS(mprotect(at, 4096, PROT_READ), EACCES);
    FAILS(mprotect(at, 4096, PROT_WRITE), EACCES);
    CHECK(mremap(at, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
    close(node);
}

static void lost_device(void) {
    node = open_node();
    char *at = hints(4096);
    fault(FAULT_LOSE, 0);
    FAILS(madvise(at, 4096, MADV_KV_HOT), ENODEV);
    FAILS(madvise(at, 4096, MADV_KV_PREFETCH), ENODEV);
    close(node);
}

/* The test that the kernel's patch has with it. */
static void kselftest(void) {
    CHECK(program("madv_kv", (const char *const[]){NULL}) == 0);
}

static const struct test tests[] = {
    TEST(hints_reach_the_device), TEST(prefetch_is_for_now), TEST(without_a_handler), TEST(the_mapping_has_no_memory),
    TEST(lost_device), TEST(kselftest), END,
};
const struct suite madvise_suite = {"madvise", "", tests};
