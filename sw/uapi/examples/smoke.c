/* Uses the device node as a program does that knows the published interface only: own structs, own numbers. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct step {
    uint64_t step;
};
struct range {
    uint64_t va, len, target_step;
};
struct weights {
    uint32_t w_r, w_f, w_s, w_d, evict_thresh, prefetch_thresh;
};
struct telemetry {
    uint64_t current_step, step_count, hot_count, evict_count, prefetch_count, share_count;
    uint64_t last_va, last_len, last_target_step;
    struct weights weights;
};

static int failures;

static void expect(const char *what, int good) {
    if (!good) {
        printf("FAILED %s (errno %d: %s)\n", what, errno, strerror(errno));
        failures++;
    }
}

static int refused(int result, int error) {
    return result == -1 && errno == error;
}

int main(void) {
    struct step step = {128};
    struct range hot = {0x7f001000, 4096, 0}, evict = {0x7f002000, 8192, 0};
    struct range prefetch = {0x7f003000, 4096, 256}, share = {0x7f004000, 16384, 0}, empty = {0x7f001000, 0, 0};
    struct weights weights = {3, 5, 7, 11, 1024, 40960};
    struct telemetry seen;
    const int fd = open("/dev/kvcpu0", O_RDWR);
    if (fd < 0) {
        perror("/dev/kvcpu0");
        return 1;
    }
    expect("STEP_ADVANCE", ioctl(fd, 0x40084B01, &step) == 0);
    expect("MARK_HOT", ioctl(fd, 0x40184B02, &hot) == 0);
    expect("EVICT", ioctl(fd, 0x40184B03, &evict) == 0);
    expect("PREFETCH", ioctl(fd, 0x40184B04, &prefetch) == 0);
    expect("SHARE_PREFIX", ioctl(fd, 0x40184B05, &share) == 0);
    expect("SET_WEIGHTS", ioctl(fd, 0x40184B06, &weights) == 0);
    memset(&seen, 0xEE, sizeof seen);
    expect("GET_TELEMETRY", ioctl(fd, 0x80604B07, &seen) == 0);
    expect("current_step", seen.current_step == 128);
    expect("counts", seen.step_count == 1 && seen.hot_count == 1 && seen.evict_count == 1 &&
                         seen.prefetch_count == 1 && seen.share_count == 1);
    expect("last range", seen.last_va == 0x7f004000 && seen.last_len == 16384 && seen.last_target_step == 0);
    expect("weights", memcmp(&seen.weights, &weights, sizeof weights) == 0);
    expect("MARK_HOT of length 0", refused(ioctl(fd, 0x40184B02, &empty), EINVAL));
    expect("unknown request", refused(ioctl(fd, 0x40084B63, &step), ENOTTY));
    expect("other direction", refused(ioctl(fd, 0x80084B01, &step), ENOTTY));
    expect("other size", refused(ioctl(fd, 0x40104B01, &step), ENOTTY));
    expect("bad pointer in", refused(ioctl(fd, 0x40084B01, (void *)8), EFAULT));
    expect("bad pointer out", refused(ioctl(fd, 0x80604B07, (void *)8), EFAULT));
    step.step = UINT64_C(1) << 32;
    expect("step over 32 bits", refused(ioctl(fd, 0x40084B01, &step), EINVAL));
    expect("GET_TELEMETRY", ioctl(fd, 0x80604B07, &seen) == 0);
    expect("nothing counted", seen.step_count == 1 && seen.hot_count == 1 && seen.current_step == 128);
    expect("close", close(fd) == 0);
    expect("closed", refused(ioctl(fd, 0x80604B07, &seen), EBADF));
    if (failures == 0) printf("smoke: all good\n");
    return failures != 0;
}
