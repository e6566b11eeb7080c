/* Many register accesses in a row: the testbench measures how many it serves in a second. */
#include "guest.h"

static void reads(void) {
    char text[64];
    for (int n = 0; n < 4; n++) CHECK(contents(DEBUG "entries", text, sizeof text) == 0);
}

static const struct test tests[] = {TEST(reads), END};
const struct suite rate_suite = {"rate", "", tests};
