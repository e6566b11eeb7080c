/* The node's client: a connection to its socket is an open file of the device.
 *
 * No state, no lock: every call attaches a socket of its own for the answer, and a connection is recognised by the name
 * that it was given when it was opened, which the kernel keeps with the open file. So threads, fork, dup, exec, passing
 * it on and a changed environment need no care, and close is close(2). */
#ifndef KVCPU_CLIENT_H
#define KVCPU_CLIENT_H

#include <stddef.h>
#include <stdint.h>

/* A connection to the node at `path` (NULL: where the environment says, or said when the library was loaded). Of
 * `flags`, as of open(2), it has O_CLOEXEC, O_NONBLOCK and the access mode.
 * -1 and errno: ENXIO no server there, EACCES another user's, and what socket(2) may say. */
int kvcpu_client_open(const char *path, int flags);

/* The access mode with which `fd` was opened (O_RDONLY, ...), or -1 if it is no such connection. Leaves errno alone. */
int kvcpu_client_mode(int fd);

/* Whether `fd` is such a connection. Leaves errno alone. */
int kvcpu_client_owns(int fd);

/* The token that the local owner's tools present to the node of `fd`, 0 if there is none to read. Leaves errno alone. */
uint64_t kvcpu_client_token(int fd);

/* One ioctl, as ioctl(2) answers: 0, or -1 and errno. A bad pointer is EFAULT; a node that is gone, ENODEV; one that
 * ends before it answers, EIO. */
int kvcpu_client_ioctl(int fd, uint32_t request, void *argument);

/* One call in addition to the published ones: `json` to the node, its result dropped. 0, or -1 and errno. */
int kvcpu_client_call(int fd, const char *json);

#endif
