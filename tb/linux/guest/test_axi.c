/* The device's memory answers with errors while a block is copied: tried again, then given up, and always reported. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

/* Move a block from tier 1 to tier 2; how that ended. */
static struct kvcpu_event move(int fd, unsigned token) {
    struct kvcpu_migrate migrate = {.token = token, .request = 3, .tier = 2};
    struct kvcpu_event event;
    CHECK(ioctl(fd, KVCPU_IOC_MIGRATE, &migrate) == 0);
    CHECK(read(fd, &event, sizeof event) == sizeof event && event.kind == KVCPU_EVENT_COMPLETION);
    CHECK(event.request == 3 && event.token == token && event.from_tier == 1 && event.to_tier == 2);
    return event;
}

static void one_error_is_tried_again(int write) {
    struct kvcpu_lookup found;
    const int fd = open_node();
    configure();
    insert(fd, 3, 0, 1);
    axi_errors(write ? 2 : 1, write, 1);
    CHECK(move(fd, 0).status == KVCPU_COMPLETION_OK);
    CHECK(get(SYS "counters/evict_error_count") == 1);
    CHECK(lookup(fd, 3, 0, &found) == 0 && found.tier == 2);
    close(fd);
}

/* Every try fails: the block stays where it is, can be used, and moves when the memory is well again. */
static void errors_end_the_move(int write) {
    struct kvcpu_lookup found;
    const int fd = open_node();
    configure();
    insert(fd, 3, 0, 1);
    insert(fd, 3, 16, 1);
    const uint64_t free = get(SYS "tiers/tier2_free");
    axi_errors(write ? 2 : 1, write, 0);
    CHECK(move(fd, 0).status == KVCPU_COMPLETION_ERROR);
    CHECK(move(fd, 16).status == KVCPU_COMPLETION_ERROR);
    for (unsigned n = 0; n < 4; n++) CHECK(move(fd, 0).status == KVCPU_COMPLETION_ERROR); /* not each is worth a line of the log */
    CHECK(get(SYS "counters/evict_error_count") == 18);
    CHECK(lookup(fd, 3, 0, &found) == 0 && found.tier == 1);
    CHECK(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &(struct kvcpu_step){1}) == 0); /* gives back what the tries had reserved */
    CHECK(get(SYS "tiers/tier2_free") == free);
    close(fd);
}

static void a_read_error_is_tried_again(void) {
    one_error_is_tried_again(0);
}

static void a_write_error_is_tried_again(void) {
    one_error_is_tried_again(1);
}

static void read_errors_end_the_move(void) {
    errors_end_the_move(0);
}

static void write_errors_end_the_move(void) {
    errors_end_the_move(1);
}

static const struct test tests[] = {
    TEST(a_read_error_is_tried_again), TEST(a_write_error_is_tried_again), TEST(read_errors_end_the_move),
    TEST(write_errors_end_the_move), END,
};
const struct suite axi_suite = {"axi", "", tests};
