/* The software of the project inside the guest: driver, kernel and LLM service over the node. */
#include <sys/mount.h>

#include "guest.h"

/* The micro-LLM serves prompts; its own program compares, and says what differs. */
static void micro_llm(void) {
    CHECK(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=0700") == 0);
    CHECK(python("tb.linux.inside") == 0);
    CHECK(umount("/mnt") == 0);
}

static const struct test tests[] = {TEST(micro_llm), END};
const struct suite stack_suite = {"stack", "", tests};
