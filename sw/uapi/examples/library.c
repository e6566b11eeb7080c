/* Uses libkvcpu on memory of its own that is bound to blocks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kvcpu.h"

#define CHECK(what)                                                        \
    do {                                                                   \
        if (!(what)) {                                                     \
            printf("FAILED %s (errno %d: %s)\n", #what, errno, strerror(errno)); \
            return 1;                                                      \
        }                                                                  \
    } while (0)

static unsigned char memory[4 * 65536];

int main(void) {
    struct kvcpu_telemetry seen;
    const struct kvcpu_weights weights = {1, 2, 3, 4, 5, 6}, crossed = {1, 2, 3, 4, 6, 5};
    const int fd = kvcpu_open(NULL);
    CHECK(fd >= 0);
    CHECK(kvcpu_bind(fd, memory, sizeof memory, 9, 1, 2, 32) == 0);
    CHECK(kvcpu_bind(fd, memory + 1, 1, 9, 1, 2, 64) == -1 && errno == EINVAL);
    CHECK(kvcpu_step_advance(fd, 7) == 0);
    CHECK(kvcpu_mark_hot(fd, memory, 1) == 0);
    CHECK(kvcpu_prefetch(fd, memory, sizeof memory, 9) == 0);
    CHECK(kvcpu_share_prefix(fd, memory, 1) == 0);
    CHECK(kvcpu_evict(fd, memory, 1) == 0);
    CHECK(kvcpu_evict(fd, memory, 0) == -1 && errno == EINVAL);
    CHECK(kvcpu_set_weights(fd, &weights) == 0);
    CHECK(kvcpu_set_weights(fd, &crossed) == -1 && errno == EINVAL);
    CHECK(kvcpu_get_telemetry(fd, &seen) == 0);
    CHECK(seen.current_step == 7 && seen.hot_count == 1 && seen.evict_count == 1 && seen.prefetch_count == 1);
    CHECK(seen.w_d == 4 && seen.evict_thresh == 5 && seen.prefetch_thresh == 6);
    CHECK(kvcpu_unbind(fd, memory) == 0);
    CHECK(kvcpu_unbind(fd, memory) == -1 && errno == EINVAL);
    CHECK(kvcpu_ioctl(fd, 0x40084B63u, NULL) == -1 && errno == ENOTTY);
    CHECK(kvcpu_close(fd) == 0);
    const int other = open("/dev/null", O_RDWR);
    CHECK(other == fd); /* the number is another file's now: nothing closes or uses it */
    CHECK(kvcpu_close(fd) == -1 && errno == EBADF && fcntl(other, F_GETFD) >= 0);
    CHECK(kvcpu_step_advance(fd, 8) == -1 && errno == EBADF && kvcpu_unbind(fd, memory) == -1 && errno == EBADF);
    printf("library: all good\n");
    return 0;
}
