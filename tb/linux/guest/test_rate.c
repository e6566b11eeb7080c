/* Many register accesses in a row: the testbench measures how many it serves in a second. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

/* The directory through its window: reads only. */
static void reads(void) {
    char text[64];
    for (int n = 0; n < 4; n++) CHECK(contents(DEBUG "entries", text, sizeof text) == 0);
}

/* What a driver does: three writes, status reads, an interrupt and its service for each command. */
static void commands(void) {
    struct kvcpu_lookup found;
    const int fd = open_node();
    configure();
    for (unsigned round = 0; round < 8; round++) {
        struct kvcpu_free freed = {.request = 7};
        for (unsigned n = 0; n < 48; n++) insert(fd, 7, n * TOKENS, 1);
        for (unsigned n = 0; n < 48; n++) CHECK(lookup(fd, 7, n * TOKENS, &found) == 0 && found.tier == 1);
        CHECK(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed) == 0 && freed.removed == 48);
        CHECK(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &(struct kvcpu_step){round + 1}) == 0); /* frees the slots */
    }
    close(fd);
}

static const struct test tests[] = {TEST(reads), TEST(commands), END};
const struct suite rate_suite = {"rate", "", tests};
