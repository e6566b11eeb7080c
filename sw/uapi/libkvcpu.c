#define _GNU_SOURCE
#include "kvcpu.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "client.h"

#define EXPORT __attribute__((visibility("default")))
#define CALL_SIZE 256

EXPORT int kvcpu_open(const char *socket) {
    return kvcpu_client_open(socket, O_RDWR | O_CLOEXEC);
}

/* Whether a descriptor is an open device; else its number may be another file's by now, which is left alone. */
static int check(int fd) {
    if (kvcpu_client_owns(fd)) return 0;
    errno = EBADF;
    return -1;
}

EXPORT int kvcpu_close(int fd) {
    return check(fd) == 0 ? close(fd) : -1;
}

EXPORT int kvcpu_ioctl(int fd, uint32_t request, void *argument) {
    return check(fd) == 0 ? kvcpu_client_ioctl(fd, request, argument) : -1;
}

EXPORT int kvcpu_step_advance(int fd, uint64_t step) {
    struct kvcpu_step argument = {step};
    return kvcpu_ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &argument);
}

static int range(int fd, uint32_t request, const void *va, uint64_t len, uint64_t target_step) {
    struct kvcpu_range argument = {(uint64_t)(uintptr_t)va, len, target_step};
    return kvcpu_ioctl(fd, request, &argument);
}

EXPORT int kvcpu_mark_hot(int fd, const void *va, uint64_t len) {
    return range(fd, KVCPU_IOC_MARK_HOT, va, len, 0);
}

EXPORT int kvcpu_evict(int fd, const void *va, uint64_t len) {
    return range(fd, KVCPU_IOC_EVICT, va, len, 0);
}

EXPORT int kvcpu_prefetch(int fd, const void *va, uint64_t len, uint64_t target_step) {
    return range(fd, KVCPU_IOC_PREFETCH, va, len, target_step);
}

EXPORT int kvcpu_share_prefix(int fd, const void *va, uint64_t len) {
    return range(fd, KVCPU_IOC_SHARE_PREFIX, va, len, 0);
}

EXPORT int kvcpu_set_weights(int fd, const struct kvcpu_weights *weights) {
    return kvcpu_ioctl(fd, KVCPU_IOC_SET_WEIGHTS, (void *)(uintptr_t)weights);
}

EXPORT int kvcpu_get_telemetry(int fd, struct kvcpu_telemetry *telemetry) {
    return kvcpu_ioctl(fd, KVCPU_IOC_GET_TELEMETRY, telemetry);
}

EXPORT int kvcpu_bind(int fd, const void *va, uint64_t len, uint16_t request, uint8_t layer, uint8_t head,
                      uint32_t token) {
    const uint64_t right = kvcpu_client_token(fd);
    char call[CALL_SIZE];
    int length = snprintf(call, sizeof call,
                          "{\"call\":\"bind\",\"va\":%" PRIuPTR ",\"len\":%" PRIu64 ",\"kv\":\"%u:%u:%u:%" PRIu32 "\"",
                          (uintptr_t)va, len, (unsigned)request, (unsigned)layer, (unsigned)head, token);
    if (right != 0) length += snprintf(call + length, sizeof call - (size_t)length, ",\"token\":%" PRIu64, right);
    snprintf(call + length, sizeof call - (size_t)length, "}");
    return check(fd) == 0 ? kvcpu_client_call(fd, call) : -1;
}

EXPORT int kvcpu_unbind(int fd, const void *va) {
    char call[CALL_SIZE];
    snprintf(call, sizeof call, "{\"call\":\"unbind\",\"va\":%" PRIuPTR "}", (uintptr_t)va);
    return check(fd) == 0 ? kvcpu_client_call(fd, call) : -1;
}
