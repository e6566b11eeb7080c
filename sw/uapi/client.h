/* The node's client: a connection to its socket is an open file of the device.
 *
 * No state, no lock: every call attaches a socket of its own for the answer, and a connection is recognised by asking
 * the kernel whom it is connected to. So threads, fork, dup and exec need no care, and close is close(2). */
#ifndef KVCPU_CLIENT_H
#define KVCPU_CLIENT_H

#include <stddef.h>
#include <stdint.h>

/* A connection to the node at `path` (NULL: where the environment says), with FD_CLOEXEC if asked for.
 * -1 and errno: ENXIO nobody serves there, EACCES another user does, and what socket(2) may say. */
int kvcpu_client_open(const char *path, int close_on_exec);

/* Whether `fd` is such a connection. Leaves errno alone. */
int kvcpu_client_owns(int fd);

/* One ioctl, as ioctl(2) answers: 0, or -1 and errno. A bad pointer is EFAULT; a node that is gone, ENODEV; one that
 * ends before it answers, EIO. */
int kvcpu_client_ioctl(int fd, uint32_t request, void *argument);

/* One call beside the published ones: `json` to the node, its result dropped. 0, or -1 and errno. */
int kvcpu_client_call(int fd, const char *json);

#endif
