#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kvcpu_uapi.h"
#include "wire.h"

/* Bits of a request: who fills the argument, and its size. */
#define COPIES_IN(request) ((request) >> 30 & 1u)
#define SIZE(request) ((request) >> 16 & 0x3fffu)

#define UNIX_PATH sizeof(((struct sockaddr_un *)0)->sun_path)

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

/* What the environment said when the library was loaded, for programs that clear it. */
static char loaded_socket[UNIX_PATH], loaded_runtime[UNIX_PATH];

static const char *variable(const char *name, const char *loaded) {
    const char *const value = getenv(name);
    return value != NULL && *value != '\0' ? value : loaded;
}

__attribute__((constructor)) static void remember(void) {
    snprintf(loaded_socket, sizeof loaded_socket, "%s", variable(KVCPU_WIRE_VARIABLE, ""));
    snprintf(loaded_runtime, sizeof loaded_runtime, "%s", variable(KVCPU_WIRE_RUNTIME_VARIABLE, ""));
}

static int default_path(char *out, size_t size) {
    const char *const given = variable(KVCPU_WIRE_VARIABLE, loaded_socket);
    const char *const runtime = variable(KVCPU_WIRE_RUNTIME_VARIABLE, loaded_runtime);
    int length;
    if (*given != '\0')
        length = snprintf(out, size, "%s", given);
    else if (*runtime != '\0')
        length = snprintf(out, size, "%s/%s/%s", runtime, KVCPU_WIRE_FOLDER, KVCPU_WIRE_NAME);
    else
        length = snprintf(out, size, "/tmp/%s-%lu/%s", KVCPU_WIRE_FOLDER, (unsigned long)geteuid(), KVCPU_WIRE_NAME);
    return length >= 0 && (size_t)length < size ? 0 : fail(ENAMETOOLONG);
}

/* ------------------------------------------------------------------ the mark of an open file */

/* A connection's own name, abstract: a NUL, MARK, the access mode, and what makes it the only one of its name. */
#define MARK KVCPU_WIRE_MARK
enum { MODE_AT = sizeof MARK, NAMES_TRIED = 16 };

static int mark(int fd, int flags) {
    for (int tried = 0; tried < NAMES_TRIED; ++tried) {
        struct sockaddr_un own;
        uint64_t random;
        int length;
        memset(&own, 0, sizeof own);
        own.sun_family = AF_UNIX;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) return -1;
        length = snprintf(own.sun_path + 1, sizeof own.sun_path - 1, MARK "%d:%016" PRIx64, flags & O_ACCMODE, random);
        if (bind(fd, (const struct sockaddr *)&own, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) +
                     (socklen_t)length) == 0)
            return 0;
        if (errno != EADDRINUSE) return -1;
    }
    return -1;
}

int kvcpu_client_mode(int fd) {
    const int before = errno;
    struct sockaddr_un own;
    socklen_t size = sizeof own;
    int mode = -1;
    memset(&own, 0, sizeof own);
    if (getsockname(fd, (struct sockaddr *)&own, &size) == 0 && own.sun_family == AF_UNIX && own.sun_path[0] == '\0' &&
        memcmp(own.sun_path + 1, MARK, sizeof MARK - 1) == 0)
        mode = own.sun_path[MODE_AT] - '0';
    errno = before;
    return mode;
}

int kvcpu_client_owns(int fd) {
    return kvcpu_client_mode(fd) >= 0;
}

int kvcpu_client_open(const char *path, int flags) {
    const int type = SOCK_SEQPACKET | (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0);
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
    fd = socket(AF_UNIX, type, 0);
    if (fd < 0) return -1;
    if (mark(fd, flags) != 0) return close_and_fail(fd, errno);
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == EINTR) continue;
        if (errno == ENOENT || errno == ECONNREFUSED || errno == EPROTOTYPE || errno == ENOTDIR)
            return close_and_fail(fd, ENXIO);
        return close_and_fail(fd, errno);
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &size) != 0) return close_and_fail(fd, errno);
    if (server.uid != geteuid()) return close_and_fail(fd, EACCES);
    if (flags & O_NONBLOCK && fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return close_and_fail(fd, errno);
    return fd;
}

/* The token that the local owner's tools present: in a file next to the socket, which only its owner may read. */
uint64_t kvcpu_client_token(int fd) {
    const int before = errno;
    struct sockaddr_un peer;
    char path[sizeof peer.sun_path + sizeof KVCPU_WIRE_TOKEN + 4];
    char text[32];
    socklen_t size = sizeof peer;
    uint64_t token = 0;
    memset(&peer, 0, sizeof peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sun_family == AF_UNIX &&
        memchr(peer.sun_path, '\0', sizeof peer.sun_path) != NULL) {
        char *slash = strrchr(peer.sun_path, '/');
        char *dot = strrchr(peer.sun_path, '.');
        const int suffix = dot != NULL && dot > (slash != NULL ? slash + 1 : peer.sun_path);
        int file;
        if (suffix) *dot = '\0';
        snprintf(path, sizeof path, "%s%s/%s", peer.sun_path, suffix ? "" : ".d", KVCPU_WIRE_TOKEN);
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (file >= 0) {
            const ssize_t got = read(file, text, sizeof text - 1);
            text[got > 0 ? got : 0] = '\0';
            token = strtoull(text, NULL, 16);
            close(file);
        }
    }
    errno = before;
    return token;
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
        else if (errno == ETOOMANYREFS) /* more answers are awaited than this user may have descriptors on their way */
            (void)poll(NULL, 0, 1);
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

struct call {
    int fd;
    uint16_t kind;
    uint32_t value;
    const void *in;
    size_t in_size;
    void *out;
    size_t out_size;
    int error; /* 0: done */
};

/* The call with a socket of its own for the answer; an errno. */
static int with_own_socket(const struct call *call) {
    int pair[2];
    int result;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return errno;
    result = send_packet(call->fd, pair[1], call->kind, call->value, call->in, call->in_size);
    close(pair[1]); /* so that the node's end is the only one: if it goes, the answer reads as an end */
    if (result == 0) result = receive_packet(pair[0], call->kind, call->out, call->out_size);
    {
        const int error = result == 0 ? 0 : errno;
        close(pair[0]);
        return error;
    }
}

/* A thread with a copy of the descriptor table, in which it makes room: what it closes stays open in the program. */
static void *in_own_table(void *argument) {
    struct call *const call = argument;
    int room = 2;
    if (unshare(CLONE_FILES) != 0) return NULL;
    for (int fd = 0; fd < (int)sysconf(_SC_OPEN_MAX) && room > 0; ++fd)
        if (fd != call->fd && close(fd) == 0) --room;
    call->error = with_own_socket(call);
    return NULL;
}

/* The call where the program has no descriptor left; an errno. */
static int without_descriptors(struct call *call) {
    sigset_t all, before;
    pthread_t thread;
    int created;
    call->error = EMFILE;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of the program may run with the other table */
    created = pthread_create(&thread, NULL, in_own_table, call);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (created == 0) pthread_join(thread, NULL);
    return call->error;
}

static int exchange(struct call call) {
    const int before = errno;
    int error = with_own_socket(&call);
    if (error == EMFILE) error = without_descriptors(&call);
    if (error != 0) return fail(error);
    errno = before;
    return 0;
}

int kvcpu_client_ioctl(int fd, uint32_t request, void *argument) {
    const size_t size = SIZE(request);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; ++i) {
        if (requests[i] != request) continue;
        if (COPIES_IN(request)) return exchange((struct call){fd, KVCPU_WIRE_IOCTL, request, argument, size, NULL, 0, 0});
        return exchange((struct call){fd, KVCPU_WIRE_IOCTL, request, NULL, 0, argument, size, 0});
    }
    /* the node says what it is not */
    return exchange((struct call){fd, KVCPU_WIRE_IOCTL, request, NULL, 0, NULL, 0, 0});
}

int kvcpu_client_call(int fd, const char *json) {
    return exchange((struct call){fd, KVCPU_WIRE_CALL, 0, json, strlen(json), NULL, 0, 0});
}
