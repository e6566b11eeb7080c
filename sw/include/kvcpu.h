/* libkvcpu: the device node for C and C++ programs, with or without the preload shim.
 *
 * The structs and requests are those of kvcpu_uapi.h. Functions return 0 (kvcpu_open: a descriptor), or -1 and errno:
 * EBADF the descriptor is not, or no longer, one of kvcpu_open (another file of that number is left alone), EINVAL an
 * argument that the interface refuses, ENXIO no server, ENODEV it is gone, EIO it ended before it answered. Any number of threads and forked processes may share a descriptor. */
#ifndef KVCPU_H
#define KVCPU_H

#include <stdint.h>

#include "kvcpu_uapi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Open the device that a simulation serves at `socket` (NULL: $KVCPU_SOCKET, else the user's own). */
int kvcpu_open(const char *socket);
int kvcpu_close(int fd);

/* Any request, as ioctl(2) on the device node. */
int kvcpu_ioctl(int fd, uint32_t request, void *argument);

int kvcpu_step_advance(int fd, uint64_t step);
int kvcpu_mark_hot(int fd, const void *va, uint64_t len);
int kvcpu_evict(int fd, const void *va, uint64_t len);
int kvcpu_prefetch(int fd, const void *va, uint64_t len, uint64_t target_step);
int kvcpu_share_prefix(int fd, const void *va, uint64_t len);
int kvcpu_set_weights(int fd, const struct kvcpu_weights *weights);
int kvcpu_get_telemetry(int fd, struct kvcpu_telemetry *telemetry);

/* Say which blocks a range of this program's memory is: each BLOCK_BYTES of it one block, from the one that begins at
 * {request, layer, head, token} on. Range calls name blocks by such ranges. */
int kvcpu_bind(int fd, const void *va, uint64_t len, uint16_t request, uint8_t layer, uint8_t head, uint32_t token);
int kvcpu_unbind(int fd, const void *va);

#ifdef __cplusplus
}
#endif

#endif
