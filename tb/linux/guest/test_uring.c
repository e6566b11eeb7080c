/* Moves as commands of io_uring: each ends once, with the device's status, or with an errno when no move comes. */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "ring.h"

#define REQUEST 5
#define MANY 64
#define EARLIER 48

static struct ring ring;
static int node;

static struct kvcpu_move block(unsigned number, unsigned argument) {
    return (struct kvcpu_move){.token = number * TOKENS, .request = REQUEST, .argument = argument};
}

/* So many blocks in tier 1. */
static void begin(unsigned blocks) {
    node = open_node();
    ring_open(&ring, 256);
    configure();
    for (unsigned n = 0; n < blocks; n++) insert(node, REQUEST, n * TOKENS, 1);
}

static void put_move(unsigned op, unsigned number, unsigned argument) {
    const struct kvcpu_move move = block(number, argument);
    ring_put(&ring, node, op, &move, number);
}

static int do_move(unsigned op, unsigned number, unsigned argument) {
    const struct kvcpu_move move = block(number, argument);
    return ring_do(&ring, node, op, &move);
}

/* Moves are accepted, and none starts. */
static void hold_moves(void) {
    put(SYS "enable", "0");
}

static void let_moves_go(void) {
    put(SYS "enable", "1");
}

static void step_to(unsigned step) {
    const struct kvcpu_step arg = {step};
    CHECK(ioctl(node, KVCPU_IOC_STEP_ADVANCE, &arg) == 0);
}

/* All at once; the results are the statuses that read(2) tells of the same blocks. */
static void many_migrations(void) {
    static int results[MANY], seen[MANY];
    struct kvcpu_event event;
    unsigned ok = 0, no_slot = 0;
    char text[256];
    begin(0);
    put(SYS "tiers/tier2_slots", "48");
    for (unsigned n = 0; n < MANY; n++) insert(node, REQUEST, n * TOKENS, 1);
    hold_moves();
    for (unsigned n = 0; n < MANY; n++) put_move(KVCPU_URING_MIGRATE, n, 2);
    ring_submit(&ring, MANY);
    wait_ms(10);
    CHECK(contents(DEBUG "queues", text, sizeof text) > 0 && strstr(text, "evict 64"));
    CHECK(!ring_ready(&ring));
    let_moves_go();
    for (unsigned n = 0; n < MANY; n++) results[n] = seen[n] = -1;
    for (unsigned n = 0; n < MANY; n++) {
        uint64_t tag;
        const int result = ring_wait(&ring, &tag);
        CHECK(tag < MANY && results[tag] == -1);
        results[tag] = result;
        ok += result == KVCPU_COMPLETION_OK;
        no_slot += result == KVCPU_COMPLETION_NO_SLOT;
    }
    CHECK(ok == 48 && no_slot == 16);
    for (unsigned n = 0; n < MANY; n++) {
        CHECK(read(node, &event, sizeof event) == sizeof event);
        CHECK(event.kind == KVCPU_EVENT_COMPLETION && event.token / TOKENS < MANY);
        seen[event.token / TOKENS] = event.status;
    }
    CHECK(memcmp(results, seen, sizeof seen) == 0);
    CHECK(get(SYS "tiers/tier2_free") == 0 && !ring_ready(&ring));
    close(node);
}

static void evict_and_prefetch(void) {
    struct kvcpu_lookup found;
    begin(1);
    CHECK(do_move(KVCPU_URING_EVICT, 0, 0) == KVCPU_COMPLETION_OK);
    CHECK(lookup(node, REQUEST, 0, &found) == 0 && found.tier == 2);
    CHECK(do_move(KVCPU_URING_PREFETCH, 0, 1) == KVCPU_COMPLETION_OK);
    CHECK(lookup(node, REQUEST, 0, &found) == 0 && found.tier == 1);
    CHECK(do_move(KVCPU_URING_PREFETCH, 0, 1) == KVCPU_COMPLETION_OK); /* it is there */
    /* any token of the block names it */
    const struct kvcpu_move inside = {.token = 7, .request = REQUEST, .argument = 3};
    CHECK(ring_do(&ring, node, KVCPU_URING_MIGRATE, &inside) == KVCPU_COMPLETION_OK);
    CHECK(lookup(node, REQUEST, 0, &found) == 0 && found.tier == 3);
    close(node);
}

static void prefetch_waits_for_its_step(void) {
    begin(1);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 2) == KVCPU_COMPLETION_OK);
    put_move(KVCPU_URING_PREFETCH, 0, 10);
    ring_submit(&ring, 1);
    wait_ms(1);
    CHECK(!ring_ready(&ring) && strstr(entry(REQUEST, 0), "hint"));
    step_to(9);
    CHECK(ring_wait(&ring, NULL) == KVCPU_COMPLETION_OK);
    CHECK(strstr(entry(REQUEST, 0), "tier 1"));
    close(node);
}

static void refused(void) {
    const struct kvcpu_move odd = {.request = REQUEST, .argument = 2, .reserved = 1};
    struct kvcpu_lookup found;
    begin(2);
    CHECK(do_move(KVCPU_URING_MIGRATE, 9, 2) == -ENOENT);
    CHECK(do_move(KVCPU_URING_EVICT, 9, 0) == -ENOENT);
    CHECK(do_move(KVCPU_URING_PREFETCH, 9, 1) == -ENOENT);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 1) == -EINVAL);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 4) == -EINVAL);
    CHECK(do_move(KVCPU_URING_EVICT, 0, 1) == -EINVAL);
    CHECK(do_move(KVCPU_URING_CANCEL, 0, 1) == -EINVAL);
    CHECK(ring_do(&ring, node, KVCPU_URING_MIGRATE, &odd) == -EINVAL);
    CHECK(do_move(0, 0, 0) == -ENOTTY);
    CHECK(do_move(KVCPU_URING_CANCEL + 1, 0, 0) == -ENOTTY);
    CHECK(do_move(KVCPU_URING_CANCEL, 0, 0) == -ENOENT);
    CHECK(do_move(KVCPU_URING_MIGRATE, 1, 3) == KVCPU_COMPLETION_OK);
    CHECK(do_move(KVCPU_URING_EVICT, 1, 0) == -EINVAL); /* no tier is slower */
    step_to(5);
    CHECK(do_move(KVCPU_URING_PREFETCH, 1, 4) == -EINVAL);
    bind_blocks(node, 0x10000, 1, REQUEST, 0);
    CHECK(hint(node, KVCPU_IOC_SHARE_PREFIX, 0x10000, 1, 0) == 0);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 2) == -EBUSY);
    CHECK(do_move(KVCPU_URING_EVICT, 0, 0) == -EBUSY);
    CHECK(lookup(node, REQUEST, 0, &found) == 0 && found.tier == 1);
    close(node);
}

/* A second move of a block in flight is refused, and does not take the first one's completion. */
static void one_move_a_block(void) {
    uint64_t tag;
    begin(1);
    hold_moves();
    const struct kvcpu_move move = block(0, 2);
    ring_put(&ring, node, KVCPU_URING_MIGRATE, &move, 1);
    ring_put(&ring, node, KVCPU_URING_MIGRATE, &move, 2);
    ring_submit(&ring, 2);
    CHECK(ring_wait(&ring, &tag) == -EAGAIN && tag == 2);
    CHECK(!ring_ready(&ring));
    let_moves_go();
    CHECK(ring_wait(&ring, &tag) == KVCPU_COMPLETION_OK && tag == 1);
    close(node);
}

/* An earlier move of the block ends at different times before, during and after the launch of the next: its completion
 * is not the next one's, whose result comes when the block has arrived. */
static void an_earlier_move_ends(void) {
    struct kvcpu_lookup found;
    unsigned moved = 0, refused = 0;
    begin(EARLIER);
    for (unsigned n = 0; n < EARLIER; n++) {
        struct kvcpu_migrate first = {.token = n * TOKENS, .request = REQUEST, .tier = 2};
        CHECK(ioctl(node, KVCPU_IOC_MIGRATE, &first) == 0);
        for (unsigned reads = 0; reads < n; reads++) get(SYS "weight_r");
        const int result = do_move(KVCPU_URING_MIGRATE, n, 3);
        CHECK(result == -EAGAIN || result == KVCPU_COMPLETION_OK);
        if (result == KVCPU_COMPLETION_OK) CHECK(lookup(node, REQUEST, n * TOKENS, &found) == 0 && found.tier == 3);
        moved += result == KVCPU_COMPLETION_OK;
        refused += result == -EAGAIN;
    }
    CHECK(moved > 0 && refused > 0);
    close(node);
}

/* The device drops a hint when its queue is full, and no completion will come. */
static void the_queue_is_full(void) {
    begin(0);
    for (unsigned n = 0; n < MANY; n++) insert(node, REQUEST, n * TOKENS, 1);
    insert(node, REQUEST, MANY * TOKENS, 2);
    hold_moves();
    for (unsigned n = 0; n < MANY; n++) put_move(KVCPU_URING_MIGRATE, n, 3);
    ring_submit(&ring, MANY);
    wait_ms(1);
    CHECK(do_move(KVCPU_URING_EVICT, MANY, 0) == -EAGAIN);
    let_moves_go();
    for (unsigned n = 0; n < MANY; n++) CHECK(ring_wait(&ring, NULL) == KVCPU_COMPLETION_OK);
    close(node);
}

/* The block goes while it moves. */
static void removed_while_it_moves(void) {
    const struct kvcpu_block gone = {.token = 0, .request = REQUEST};
    begin(4);
    hold_moves();
    for (unsigned n = 0; n < 4; n++) put_move(KVCPU_URING_MIGRATE, n, 2);
    ring_submit(&ring, 4);
    wait_ms(1);
    CHECK(ioctl(node, KVCPU_IOC_REMOVE, &gone) == 0);
    let_moves_go();
    unsigned ok = 0, cancelled = 0;
    for (unsigned n = 0; n < 4; n++) {
        uint64_t tag;
        const int result = ring_wait(&ring, &tag);
        ok += result == KVCPU_COMPLETION_OK && tag != 0;
        cancelled += result == KVCPU_COMPLETION_CANCELLED && tag == 0;
    }
    CHECK(ok == 3 && cancelled == 1);
    close(node);
}

/* The tier's memory answers with errors: the device gives up after its tries. */
static void bus_errors(void) {
    begin(2);
    axi_errors(3, 1, 0);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 3) == KVCPU_COMPLETION_ERROR);
    CHECK(do_move(KVCPU_URING_MIGRATE, 1, 2) == KVCPU_COMPLETION_OK);
    CHECK(strstr(entry(REQUEST, 0), "tier 1"));
    close(node);
}

/* A move runs: the queues are empty, and the device is not idle. */
static int moving(void) {
    const uint64_t status = get(SYS "status");
    return !(status & 1) && !(status >> 16 & 0x7f) && !(status >> 8 & 0x1f);
}

/* The accelerator writes the block while it moves: the move is void, and the block stays with what was written. */
static void written_while_it_moves(void) {
    struct kvcpu_event event;
    begin(1);
    hold_moves();
    put_move(KVCPU_URING_MIGRATE, 0, 2);
    ring_submit(&ring, 1);
    wait_ms(1);
    let_moves_go();
    for (unsigned n = 0; !moving() && n < 100; n++) CHECK(!ring_ready(&ring));
    CHECK(accelerator_lookup(REQUEST, 3, 1));
    CHECK(ring_wait(&ring, NULL) == KVCPU_COMPLETION_VOID);
    CHECK(read(node, &event, sizeof event) == sizeof event && event.status == KVCPU_COMPLETION_VOID);
    CHECK(get(SYS "counters/evict_void_count") == 1);
    CHECK(strstr(entry(REQUEST, 0), "tier 1") && strstr(entry(REQUEST, 0), "dirty"));
    step_to(1); /* what was accessed in a step does not move down in it */
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 2) == KVCPU_COMPLETION_OK);
    close(node);
}

static void cancelled(void) {
    uint64_t tag;
    const struct kvcpu_move first = block(0, 0);
    begin(2);
    for (unsigned n = 0; n < 2; n++) CHECK(do_move(KVCPU_URING_MIGRATE, n, 2) == KVCPU_COMPLETION_OK);
    for (unsigned n = 0; n < 2; n++) put_move(KVCPU_URING_PREFETCH, n, 10);
    ring_submit(&ring, 2);
    wait_ms(1);
    const int other = open_node(); /* another file's commands are not its own */
    CHECK(ring_do(&ring, other, KVCPU_URING_CANCEL, &first) == -ENOENT);
    close(other);
    ring_put(&ring, node, KVCPU_URING_CANCEL, &first, 100);
    ring_submit(&ring, 1);
    int done[2];
    for (unsigned n = 0; n < 2; n++) {
        const int result = ring_wait(&ring, &tag);
        CHECK(tag == 0 || tag == 100);
        done[tag == 100] = result;
    }
    CHECK(done[0] == -ECANCELED && done[1] == 0);
    CHECK(do_move(KVCPU_URING_CANCEL, 0, 0) == -ENOENT);
    step_to(9);
    CHECK(ring_wait(&ring, &tag) == KVCPU_COMPLETION_OK && tag == 1);
    close(node);
}

/* The last descriptor is closed while commands are queued, launched and in flight. */
static void closed_in_flight(void) {
    unsigned ended = 0, cancelled = 0;
    begin(32);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 2) == KVCPU_COMPLETION_OK);
    put_move(KVCPU_URING_PREFETCH, 0, 1000);
    for (unsigned n = 1; n < 32; n++) put_move(KVCPU_URING_MIGRATE, n, 2);
    ring_submit(&ring, 32);
    close(node);
    for (unsigned n = 0; n < 32; n++) {
        const int result = ring_wait(&ring, NULL);
        ended += result == KVCPU_COMPLETION_OK;
        cancelled += result == -ECANCELED;
    }
    CHECK(ended + cancelled == 32 && cancelled > 0);
}

static void submit_and_die(void) {
    begin(8);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 2) == KVCPU_COMPLETION_OK);
    put_move(KVCPU_URING_PREFETCH, 0, 1000);
    for (unsigned n = 1; n < 8; n++) put_move(KVCPU_URING_MIGRATE, n, 2);
    ring_submit(&ring, 8);
    _exit(0);
}

/* Its ring is taken down in the background, and then no use of the module is left. */
static void a_process_dies_in_flight(void) {
    CHECK(in_child(submit_and_die) == 0);
    for (int ms = 0; get("/sys/module/kv_cpu/refcnt") && ms < 100; ms++) wait_ms(1);
    CHECK(get("/sys/module/kv_cpu/refcnt") == 0);
}

static void all_end_with(unsigned count, int expected) {
    unsigned others = 0;
    for (unsigned n = 0; n < count; n++) {
        const int result = ring_wait(&ring, NULL);
        others += result != expected;
    }
    CHECK(others == 0);
}

static void wait_for_steps(unsigned count) {
    begin(count);
    for (unsigned n = 0; n < count; n++) CHECK(do_move(KVCPU_URING_MIGRATE, n, 2) == KVCPU_COMPLETION_OK);
    for (unsigned n = 0; n < count; n++) put_move(KVCPU_URING_PREFETCH, n, 10);
    ring_submit(&ring, count);
    wait_ms(1);
}

static void close_all(void) {
    close(node);
}

/* Another process has the same file, and closes it: the commands are not its own. */
static void another_process_closes(void) {
    wait_for_steps(4);
    CHECK(in_child(close_all) == 0);
    CHECK(!ring_ready(&ring));
    step_to(9);
    all_end_with(4, KVCPU_COMPLETION_OK);
    close(node);
}

static void soft_reset(void) {
    wait_for_steps(8);
    put(SYS "reset", "1");
    all_end_with(8, -ECANCELED);
    insert(node, REQUEST, 0, 1);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 2) == KVCPU_COMPLETION_OK);
    close(node);
}

/* Its reset pin, while no request waits for it: the commands in flight are enough to notice. */
static void reset_pin(void) {
    wait_for_steps(8);
    fault(FAULT_RESET, 0);
    all_end_with(8, -ECANCELED);
    configure();
    insert(node, REQUEST, 0, 1);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 2) == KVCPU_COMPLETION_OK);
    close(node);
}

static void lost(void) {
    wait_for_steps(8);
    fault(FAULT_LOSE, 0);
    all_end_with(8, -ENODEV);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 1) == -ENODEV);
    close(node);
}

static void unbound(void) {
    wait_for_steps(8);
    put("/sys/bus/pci/drivers/kv_cpu/unbind", "0000:00:00.0");
    all_end_with(8, -ENODEV);
    CHECK(do_move(KVCPU_URING_MIGRATE, 0, 1) == -ENODEV);
    close(node);
}

/* More moves end at once than the device's queue of completions holds: no command waits for ever. */
static void completions_overflow(void) {
    char text[64];
    unsigned ended = 0, unknown = 0;
    node = open_node();
    ring_open(&ring, 256);
    configure();
    for (unsigned n = 0; n < 60; n++) insert(node, REQUEST, n * TOKENS, 1);
    for (unsigned n = 60; n < 120; n++) insert(node, REQUEST, n * TOKENS, 2);
    for (unsigned n = 0; n < 120; n++) put_move(KVCPU_URING_MIGRATE, n, n < 60 ? 3 : 0);
    hold_moves();
    ring_submit(&ring, 120);
    wait_ms(20);
    let_moves_go();
    /* accesses take time, and interrupts come only when the processor has nothing to do */
    for (unsigned n = 0; n < 4; n++) CHECK(contents(DEBUG "entries", text, sizeof text) >= 0);
    for (unsigned n = 0; n < 120; n++) {
        const int result = ring_wait(&ring, NULL);
        ended += result == KVCPU_COMPLETION_OK;
        unknown += result == -EOVERFLOW;
    }
    CHECK(ended + unknown == 120);
    CHECK(get(SYS "counters/completion_dropped_count") > 0 && unknown > 0);
    close(node);
}

static const struct test tests[] = {
    TEST(many_migrations), TEST(evict_and_prefetch), TEST(prefetch_waits_for_its_step), TEST(refused),
    TEST(one_move_a_block), TEST(an_earlier_move_ends), TEST(the_queue_is_full), TEST(removed_while_it_moves),
    TEST(bus_errors), TEST(written_while_it_moves), TEST(cancelled), TEST(closed_in_flight),
    TEST(a_process_dies_in_flight), TEST(another_process_closes), TEST(soft_reset), TEST(reset_pin), TEST(lost),
    TEST(unbound),
    TEST(completions_overflow), END,
};
const struct suite uring_suite = {"uring", "timeout_ms=10", tests};
