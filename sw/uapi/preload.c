/* LD_PRELOAD shim: gives unmodified programs the device node over the node's local socket.
 *
 * What opens a file by its name is taken over, and ioctl; of fcntl, read and write only where a socket would not do
 * what a device does. The descriptor is a connection to the node, so close, dup, poll, fork, exec and passing it to
 * another process do what they do with every descriptor. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "client.h"
#include "devpath.h"
#include "kvcpu_uapi.h"

#define EXPORT __attribute__((visibility("default")))

typedef void (*any_function)(void);

/* The function that the program would have reached without the shim; the same every time, so a race is harmless. */
static any_function next(any_function *known, const char *name) {
    any_function found = __atomic_load_n(known, __ATOMIC_ACQUIRE);
    if (found == NULL) {
        void *const symbol = dlsym(RTLD_NEXT, name);
        memcpy(&found, &symbol, sizeof found);
        __atomic_store_n(known, found, __ATOMIC_RELEASE);
    }
    return found;
}

/* The next function of this name, as a function of this type. */
#define NEXT(name, type) ((type)next(&known, #name))

/* Ends the call where the program could not have made it without the shim either. */
#define WITHOUT(name, failed)              \
    do {                                   \
        if (next(&known, #name) == NULL) { \
            errno = ENOSYS;                \
            return failed;                 \
        }                                  \
    } while (0)

static int fail(int error) {
    errno = error;
    return -1;
}

/* ------------------------------------------------------------------ open */

static int is_device(int folder, const char *path, int flags) {
    const int exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL); /* a link there is not followed */
    return kvcpu_path_is_device(folder, path, (flags & O_NOFOLLOW) == 0 && !exclusive);
}

static int open_device(const char *path, int flags) {
    if ((flags & O_PATH) != 0) flags &= O_PATH | O_CLOEXEC | O_DIRECTORY;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return fail(EEXIST);
    if ((flags & O_DIRECTORY) != 0 || path[strlen(path) - 1] == '/') return fail(ENOTDIR);
    if ((flags & O_PATH) != 0) return open("/dev/null", flags); /* a character device that nothing can be done with */
    return kvcpu_client_open(NULL, flags);
}

static int takes_mode(int flags) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

#define MODE_OF(flags)                                    \
    mode_t mode = 0;                                      \
    if (takes_mode(flags)) {                              \
        va_list rest;                                     \
        va_start(rest, flags);                            \
        mode = va_arg(rest, mode_t);                      \
        va_end(rest);                                     \
    }

#define OPEN(name)                                                                   \
    EXPORT int name(const char *path, int flags, ...) {                              \
        static any_function known;                                                   \
        MODE_OF(flags)                                                               \
        if (is_device(AT_FDCWD, path, flags)) return open_device(path, flags);       \
        WITHOUT(name, -1);                                                           \
        return NEXT(name, int (*)(const char *, int, ...))(path, flags, mode);       \
    }

#define OPENAT(name)                                                                 \
    EXPORT int name(int folder, const char *path, int flags, ...) {                  \
        static any_function known;                                                   \
        MODE_OF(flags)                                                               \
        if (is_device(folder, path, flags)) return open_device(path, flags);         \
        WITHOUT(name, -1);                                                           \
        return NEXT(name, int (*)(int, const char *, int, ...))(folder, path, flags, mode); \
    }

/* What a fortified program calls when it passes no mode. */
#define OPEN_2(name)                                                                 \
    EXPORT int name(const char *path, int flags);                                    \
    EXPORT int name(const char *path, int flags) {                                   \
        static any_function known;                                                   \
        if (is_device(AT_FDCWD, path, flags)) return open_device(path, flags);       \
        WITHOUT(name, -1);                                                           \
        return NEXT(name, int (*)(const char *, int))(path, flags);                  \
    }

#define OPENAT_2(name)                                                               \
    EXPORT int name(int folder, const char *path, int flags);                        \
    EXPORT int name(int folder, const char *path, int flags) {                       \
        static any_function known;                                                   \
        if (is_device(folder, path, flags)) return open_device(path, flags);         \
        WITHOUT(name, -1);                                                           \
        return NEXT(name, int (*)(int, const char *, int))(folder, path, flags);     \
    }

#define CREAT(name)                                                                  \
    EXPORT int name(const char *path, mode_t mode) {                                 \
        static any_function known;                                                   \
        const int flags = O_WRONLY | O_CREAT | O_TRUNC;                              \
        if (is_device(AT_FDCWD, path, flags)) return open_device(path, flags);       \
        WITHOUT(name, -1);                                                           \
        return NEXT(name, int (*)(const char *, mode_t))(path, mode);                \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
OPEN_2(__open_2)
OPEN_2(__open64_2)
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)
CREAT(creat)
CREAT(creat64)

/* ------------------------------------------------------------------ streams */

/* The flags of a stream's mode; the C library refuses one that is none. */
static int stream_flags(const char *mode) {
    const size_t length = strcspn(mode, ",");
    const int update = memchr(mode, '+', length) != NULL;
    int flags = update ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
    if (mode[0] != 'r') flags |= O_CREAT;
    if (memchr(mode, 'x', length) != NULL) flags |= O_EXCL;
    if (memchr(mode, 'e', length) != NULL) flags |= O_CLOEXEC;
    return flags;
}

static FILE *open_stream(const char *path, const char *mode) {
    const int fd = open_device(path, stream_flags(mode));
    FILE *const stream = fd < 0 ? NULL : fdopen(fd, mode);
    if (stream == NULL && fd >= 0) {
        const int error = errno;
        close(fd);
        errno = error;
    }
    return stream;
}

#define FOPEN(name)                                                                              \
    EXPORT FILE *name(const char *path, const char *mode) {                                      \
        static any_function known;                                                               \
        if (is_device(AT_FDCWD, path, stream_flags(mode))) return open_stream(path, mode);       \
        WITHOUT(name, NULL);                                                                     \
        return NEXT(name, FILE * (*)(const char *, const char *))(path, mode);                   \
    }

FOPEN(fopen)
FOPEN(fopen64)

/* ------------------------------------------------------------------ ioctl */

/* Requests that the kernel answers for every descriptor, whatever is behind it (fs/ioctl.c). */
enum { CLEAR_CLOSE_ON_EXEC = 0x5450, SET_CLOSE_ON_EXEC = 0x5451, NON_BLOCKING = 0x5421 };

EXPORT int ioctl(int fd, unsigned long request, ...);
EXPORT int ioctl(int fd, unsigned long request, ...) {
    static any_function known;
    const uint32_t number = (uint32_t)request; /* programs that keep it in an int extend its sign */
    void *argument;
    va_list rest;
    va_start(rest, request);
    argument = va_arg(rest, void *);
    va_end(rest);
    if (number != CLEAR_CLOSE_ON_EXEC && number != SET_CLOSE_ON_EXEC && number != NON_BLOCKING &&
        kvcpu_client_owns(fd))
        return kvcpu_client_ioctl(fd, number, argument);
    WITHOUT(ioctl, -1);
    return NEXT(ioctl, int (*)(int, unsigned long, ...))(fd, request, argument);
}

/* ------------------------------------------------------------------ what a socket does otherwise than a device */

/* F_GETFL shows the access mode of the open, where a socket's is always O_RDWR. */
#define FCNTL(name)                                                                  \
    EXPORT int name(int fd, int command, ...) {                                      \
        static any_function known;                                                   \
        void *argument;                                                              \
        int result, mode;                                                            \
        va_list rest;                                                                \
        va_start(rest, command);                                                     \
        argument = va_arg(rest, void *);                                             \
        va_end(rest);                                                                \
        WITHOUT(name, -1);                                                           \
        result = NEXT(name, int (*)(int, int, ...))(fd, command, argument);          \
        if (command != F_GETFL || result < 0) return result;                         \
        mode = kvcpu_client_mode(fd);                                                \
        return mode < 0 ? result : (result & ~O_ACCMODE) | mode;                     \
    }

FCNTL(fcntl)
FCNTL(fcntl64)

static int reads(int mode) {
    return mode == O_RDONLY || mode == O_RDWR;
}

EXPORT ssize_t read(int fd, void *data, size_t size) {
    static any_function known;
    const int mode = kvcpu_client_mode(fd);
    if (mode >= 0 && !reads(mode)) return fail(EBADF);
    if (mode >= 0 && size < sizeof(struct kvcpu_event)) return fail(EINVAL); /* the kernel would drop the rest of it */
    WITHOUT(read, -1);
    return NEXT(read, ssize_t (*)(int, void *, size_t))(fd, data, size);
}

/* The device takes nothing: what is written would be no request, and the node would close the file. */
EXPORT ssize_t write(int fd, const void *data, size_t size) {
    static any_function known;
    const int mode = kvcpu_client_mode(fd);
    if (mode >= 0) return fail(mode == O_WRONLY || mode == O_RDWR ? EINVAL : EBADF);
    WITHOUT(write, -1);
    return NEXT(write, ssize_t (*)(int, const void *, size_t))(fd, data, size);
}
