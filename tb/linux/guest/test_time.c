/* One clock: what Linux measures between two events of the device is what the device itself counts. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define CLOCK_STEP 256 /* ns: User Mode Linux counts in these */
#define STEPS 16

static long long time_of(const char *text, const char *name) {
    const char *found = strstr(text, name);
    CHECK(found);
    return strtoll(found + strlen(name), NULL, 10);
}

/* At different places within a step of Linux's clock. Nothing moves, so the interrupt is that of the scan's end. */
static void step_to_interrupt(void) {
    const struct kvcpu_weights no_moves = {1, 1, 1, 1, 0, 65535};
    char text[128];
    const int fd = open_node();
    CHECK(prctl(PR_SET_TIMERSLACK, 1) == 0);
    CHECK(ioctl(fd, KVCPU_IOC_SET_WEIGHTS, &no_moves) == 0);
    for (unsigned n = 0; n < STEPS; n++) {
        const struct kvcpu_step step = {n + 1};
        const struct timespec phase = {0, 10000 + 37 * (long)n};
        nanosleep(&phase, NULL);
        CHECK(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
        nanosleep(&phase, NULL);
        CHECK(contents(DEBUG "times", text, sizeof text) > 0);
        const long long seen = time_of(text, "interrupt ") - time_of(text, "step ");
        const long long counted = counted_step_to_irq();
        printf("step to interrupt: %lld ns, counted %lld ns\n", seen, counted);
        CHECK(counted > 0 && llabs(seen - counted) <= CLOCK_STEP);
    }
    close(fd);
}

static const struct test tests[] = {TEST(step_to_interrupt), END};
const struct suite time_suite = {"time", "", tests};
