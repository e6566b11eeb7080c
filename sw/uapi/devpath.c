#define _GNU_SOURCE
#include "devpath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "client.h"
#include "kvcpu_uapi.h"

enum { MAX_LINKS = 40 }; /* as the kernel's MAXSYMLINKS */

/* Where the last component of a path begins, and its length without the slashes behind it. */
static const char *last_component(const char *path, size_t *length) {
    const char *end = path + strlen(path), *begin;
    while (end > path && end[-1] == '/') --end;
    begin = end;
    while (begin > path && begin[-1] != '/') --begin;
    *length = (size_t)(end - begin);
    return begin;
}

/* The path of what `target` names next to the last component of `path`. 0, or -1 if it is too long. */
static int sibling(char out[PATH_MAX], const char *path, const char *target) {
    size_t length;
    const size_t parent = target[0] == '/' ? 0 : (size_t)(last_component(path, &length) - path);
    if (parent + strlen(target) >= PATH_MAX) return -1;
    memcpy(out, path, parent);
    strcpy(out + parent, target);
    return 0;
}

/* Whether the last component has the device's name and is in the device's folder. */
static int is_named(int folder, const char *path) {
    const char *const slash = strrchr(KVCPU_DEVICE, '/');
    char parent[PATH_MAX], home[sizeof KVCPU_DEVICE] = "";
    struct stat here, there;
    size_t length;
    const char *const name = last_component(path, &length);
    if (length != strlen(slash + 1) || strncmp(name, slash + 1, length) != 0) return 0;
    if (strcmp(path, KVCPU_DEVICE) == 0) return 1; /* also where there is no such folder */
    if (sibling(parent, path, ".") != 0) return 0;
    memcpy(home, KVCPU_DEVICE, (size_t)(slash - KVCPU_DEVICE));
    return fstatat(folder, parent, &here, 0) == 0 && stat(home, &there) == 0 && here.st_dev == there.st_dev &&
           here.st_ino == there.st_ino;
}

/* Whether a link in a folder of descriptors (/proc/self/fd, /dev/fd, /dev/stdin) leads to an open device. */
static int is_open_device(const char *path, const char *target) {
    char name[64], mine[64];
    size_t length;
    char *end;
    const long number = strtol(last_component(path, &length), &end, 10);
    ssize_t size;
    if (*end != '\0' || length == 0 || number < 0 || number > INT_MAX) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%ld", number);
    size = readlink(name, mine, sizeof mine - 1);
    if (size < 0) return 0;
    mine[size] = '\0';
    return strcmp(mine, target) == 0 && kvcpu_client_owns((int)number);
}

static int resolve(int folder, const char *path, int follow) {
    char one[PATH_MAX], two[PATH_MAX], target[PATH_MAX];
    char *room = one;
    for (int links = 0; links < MAX_LINKS; ++links) {
        const ssize_t size = readlinkat(folder, path, target, sizeof target - 1);
        if (size < 0) /* it is no link, or does not exist; else the kernel will say what is wrong with it */
            return (errno == EINVAL || errno == ENOENT) && is_named(folder, path);
        if (is_named(folder, path)) return 1; /* the device's own name, whatever was put there */
        if (!follow) return 0;
        target[size] = '\0';
        if (strncmp(target, "socket:[", 8) == 0) return is_open_device(path, target);
        if (sibling(room, path, target) != 0) return 0;
        path = room;
        room = room == one ? two : one;
    }
    return 0;
}

int kvcpu_path_is_device(int folder, const char *path, int follow) {
    const int before = errno;
    const int found = resolve(folder, path, follow);
    errno = before;
    return found;
}
