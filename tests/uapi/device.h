/* What the test programs share: the device's requests, and a check that says which line failed. */
#ifndef DEVICE_H
#define DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define DEVICE "/dev/kvcpu0"
#define STEP 0x40084B01
#define HOT 0x40184B02
#define WEIGHTS 0x40184B06
#define TELEMETRY 0x80604B07u

#define CHECK(what)                                                                              \
    do {                                                                                         \
        if (!(what)) {                                                                           \
            printf("line %d: %s (errno %d: %s)\n", __LINE__, #what, errno, strerror(errno));     \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

struct telemetry {
    uint64_t step, steps, hots, others[6];
    uint32_t weights[6];
};

static inline int node(void) {
    const int fd = open(DEVICE, O_RDWR);
    CHECK(fd >= 0);
    return fd;
}

static inline int advance(int fd, uint64_t step) {
    return ioctl(fd, STEP, &step);
}

static inline uint64_t steps(int fd) {
    struct telemetry seen;
    CHECK(ioctl(fd, TELEMETRY, &seen) == 0);
    return seen.steps;
}

#endif
