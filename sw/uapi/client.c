#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <poll.h>
#include <unistd.h>

#include "kvcpu_uapi.h"
#include "wire.h"

/* Bits of a request: who fills the argument, and its size. */
#define COPIES_IN(request) ((request) >> 30 & 1u)
#define SIZE(request) ((request) >> 16 & 0x3fffu)

static const uint32_t requests[] = {KVCPU_WIRE_REQUESTS};

static int fail(int error) {
    errno = error;
    return -1;
}

static int close_and_fail(int fd, int error) {
    close(fd);
    return fail(error);
}

/* ------------------------------------------------------------------ where */

static int default_path(char *out, size_t size) {
    const char *given = getenv(KVCPU_WIRE_VARIABLE);
    const char *runtime = getenv(KVCPU_WIRE_RUNTIME_VARIABLE);
    int length;
    if (given != NULL && *given != '\0')
        length = snprintf(out, size, "%s", given);
    else if (runtime != NULL && *runtime != '\0')
        length = snprintf(out, size, "%s/%s/%s", runtime, KVCPU_WIRE_FOLDER, KVCPU_WIRE_NAME);
    else
        length = snprintf(out, size, "/tmp/%s-%lu/%s", KVCPU_WIRE_FOLDER, (unsigned long)geteuid(), KVCPU_WIRE_NAME);
    return length >= 0 && (size_t)length < size ? 0 : fail(ENAMETOOLONG);
}

int kvcpu_client_open(const char *path, int close_on_exec) {
    struct sockaddr_un address;
    struct ucred server;
    socklen_t size = sizeof server;
    int fd;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    if (path == NULL) {
        if (default_path(address.sun_path, sizeof address.sun_path) != 0) return -1;
    } else {
        if (strlen(path) >= sizeof address.sun_path) return fail(ENAMETOOLONG);
        strcpy(address.sun_path, path);
    }
    fd = socket(AF_UNIX, SOCK_SEQPACKET | (close_on_exec ? SOCK_CLOEXEC : 0), 0);
    if (fd < 0) return -1;
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == EINTR) continue;
        if (errno == ENOENT || errno == ECONNREFUSED || errno == EPROTOTYPE || errno == ENOTDIR)
            return close_and_fail(fd, ENXIO);
        return close_and_fail(fd, errno);
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &size) != 0) return close_and_fail(fd, errno);
    if (server.uid != geteuid()) return close_and_fail(fd, EACCES);
    return fd;
}

static int same_file(const char *one, const char *other) {
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int kvcpu_client_owns(int fd) {
    const int before = errno;
    struct sockaddr_un peer;
    char path[sizeof peer.sun_path];
    socklen_t size = sizeof peer;
    int type = 0;
    socklen_t type_size = sizeof type;
    int mine = 0;
    memset(&peer, 0, sizeof peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sun_family == AF_UNIX &&
        size > offsetof(struct sockaddr_un, sun_path) && peer.sun_path[0] != '\0' &&
        peer.sun_path[sizeof peer.sun_path - 1] == '\0' &&
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type == SOCK_SEQPACKET &&
        default_path(path, sizeof path) == 0)
        mine = strcmp(path, peer.sun_path) == 0 || same_file(path, peer.sun_path);
    errno = before;
    return mine;
}

/* ------------------------------------------------------------------ one exchange */

/* Send a packet whose answer goes to `reply`. The kernel copies the payload, so a bad pointer is EFAULT here. */
static int send_packet(int fd, int reply, uint16_t kind, uint32_t value, const void *payload, size_t size) {
    struct kvcpu_wire_header header = {KVCPU_WIRE_MAGIC, kind, 0, value, (uint32_t)size};
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)(uintptr_t)payload, size}};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message;
    struct cmsghdr *attached;
    memset(&message, 0, sizeof message);
    memset(&control, 0, sizeof control);
    message.msg_iov = parts;
    message.msg_iovlen = size ? 2 : 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    attached = CMSG_FIRSTHDR(&message);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(attached), &reply, sizeof reply);
    for (;;) {
        struct pollfd room = {fd, POLLOUT, 0};
        if (sendmsg(fd, &message, MSG_NOSIGNAL) >= 0) return 0;
        if (errno == EAGAIN) /* the program has made it non-blocking */
            (void)poll(&room, 1, -1);
        else if (errno != EINTR)
            break;
    }
    return errno == EFAULT || errno == EMSGSIZE ? -1 : fail(ENODEV);
}

/* Take the answer: up to `size` bytes into `out`. 0, or -1 and errno, the node's or EFAULT or EIO. */
static int receive_packet(int reply, uint16_t kind, void *out, size_t size) {
    struct kvcpu_wire_header header;
    struct iovec parts[2] = {{&header, sizeof header}, {out, size}};
    struct msghdr message;
    ssize_t got;
    memset(&message, 0, sizeof message);
    message.msg_iov = parts;
    message.msg_iovlen = size ? 2 : 1;
    do
        got = recvmsg(reply, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0) return errno == EFAULT ? -1 : fail(EIO);
    if ((size_t)got < sizeof header || header.magic != KVCPU_WIRE_MAGIC || header.kind != kind) return fail(EIO);
    if (header.value != 0) return fail((int)header.value);
    if (size != 0 && ((size_t)got != sizeof header + size || (message.msg_flags & MSG_TRUNC) != 0)) return fail(EIO);
    return 0;
}

static int exchange(int fd, uint16_t kind, uint32_t value, const void *in, size_t in_size, void *out,
                    size_t out_size) {
    const int before = errno;
    int pair[2];
    int result;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return -1;
    result = send_packet(fd, pair[1], kind, value, in, in_size);
    close(pair[1]); /* so that the node's end is the only one: if it goes, the answer reads as an end */
    if (result == 0) result = receive_packet(pair[0], kind, out, out_size);
    if (result == 0) errno = before;
    {
        const int error = errno;
        close(pair[0]);
        errno = error;
    }
    return result;
}

int kvcpu_client_ioctl(int fd, uint32_t request, void *argument) {
    const size_t size = SIZE(request);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; ++i) {
        if (requests[i] != request) continue;
        if (COPIES_IN(request)) return exchange(fd, KVCPU_WIRE_IOCTL, request, argument, size, NULL, 0);
        return exchange(fd, KVCPU_WIRE_IOCTL, request, NULL, 0, argument, size);
    }
    return exchange(fd, KVCPU_WIRE_IOCTL, request, NULL, 0, NULL, 0); /* the node says what it is not */
}

int kvcpu_client_call(int fd, const char *json) {
    return exchange(fd, KVCPU_WIRE_CALL, 0, json, strlen(json), NULL, 0);
}
