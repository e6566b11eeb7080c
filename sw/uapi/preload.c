/* LD_PRELOAD shim: gives unmodified programs the device node over the node's local socket.
 *
 * Only open and ioctl are taken over. The descriptor is a connection to the node, so close, dup, fork, exec and
 * passing it to another process do what they do with every descriptor, and reading it finds an end at once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "client.h"
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

/* ------------------------------------------------------------------ open */

static int is_device(const char *path) {
    return path != NULL && strcmp(path, KVCPU_DEVICE) == 0;
}

static int open_device(int flags) {
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        errno = EEXIST;
        return -1;
    }
    if (flags & O_DIRECTORY) {
        errno = ENOTDIR;
        return -1;
    }
    return kvcpu_client_open(NULL, (flags & O_CLOEXEC) != 0);
}

static int takes_mode(int flags) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

#define WITHOUT(name)                      \
    do {                                   \
        if (next(&known, name) == NULL) {  \
            errno = ENOSYS;                \
            return -1;                     \
        }                                  \
    } while (0)

#define OPEN(name)                                                                                  \
    EXPORT int name(const char *path, int flags, ...) {                                             \
        static any_function known;                                                                  \
        mode_t mode = 0;                                                                            \
        if (is_device(path)) return open_device(flags);                                             \
        if (takes_mode(flags)) {                                                                    \
            va_list rest;                                                                           \
            va_start(rest, flags);                                                                  \
            mode = va_arg(rest, mode_t);                                                            \
            va_end(rest);                                                                           \
        }                                                                                           \
        WITHOUT(#name);                                                                             \
        return ((int (*)(const char *, int, ...))next(&known, #name))(path, flags, mode);           \
    }

#define OPENAT(name)                                                                                \
    EXPORT int name(int folder, const char *path, int flags, ...) {                                 \
        static any_function known;                                                                  \
        mode_t mode = 0;                                                                            \
        if (is_device(path)) return open_device(flags);                                             \
        if (takes_mode(flags)) {                                                                    \
            va_list rest;                                                                           \
            va_start(rest, flags);                                                                  \
            mode = va_arg(rest, mode_t);                                                            \
            va_end(rest);                                                                           \
        }                                                                                           \
        WITHOUT(#name);                                                                             \
        return ((int (*)(int, const char *, int, ...))next(&known, #name))(folder, path, flags, mode); \
    }

/* What a fortified program calls when it passes no mode. */
#define OPEN_2(name)                                                                                \
    EXPORT int name(const char *path, int flags);                                                   \
    EXPORT int name(const char *path, int flags) {                                                  \
        static any_function known;                                                                  \
        if (is_device(path)) return open_device(flags);                                             \
        WITHOUT(#name);                                                                             \
        return ((int (*)(const char *, int))next(&known, #name))(path, flags);                      \
    }

#define OPENAT_2(name)                                                                              \
    EXPORT int name(int folder, const char *path, int flags);                                       \
    EXPORT int name(int folder, const char *path, int flags) {                                      \
        static any_function known;                                                                  \
        if (is_device(path)) return open_device(flags);                                             \
        WITHOUT(#name);                                                                             \
        return ((int (*)(int, const char *, int))next(&known, #name))(folder, path, flags);         \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
OPEN_2(__open_2)
OPEN_2(__open64_2)
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

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
    WITHOUT("ioctl");
    return ((int (*)(int, unsigned long, ...))next(&known, "ioctl"))(fd, request, argument);
}
