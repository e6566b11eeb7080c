/* How programs come to a descriptor of the device node, and what they see of it: one case an argument (E1). */
#include <limits.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"

#define WORKS(opening)                                          \
    do {                                                        \
        const int opened = (opening);                           \
        CHECK(opened >= 0 && advance(opened, 1) == 0);          \
        CHECK(close(opened) == 0);                              \
    } while (0)
#define REFUSED(opening, error) CHECK((opening) == -1 && errno == (error))

static const char *folder; /* the second argument, and the working directory */

static void spelled(void) {
    static const char *const names[] = {
        "/dev/kvcpu0",        "//dev/kvcpu0",        "/dev//kvcpu0",          "/dev/./kvcpu0",
        "/dev/../dev/kvcpu0", "/proc/self/root/dev/kvcpu0", "/tmp/../dev/kvcpu0", "/./dev/././kvcpu0",
    };
    const int dev = open("/dev", O_RDONLY | O_DIRECTORY), root = open("/", O_PATH), tmp = open("/tmp", O_RDONLY);
    CHECK(dev >= 0 && root >= 0 && tmp >= 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        WORKS(open(names[i], O_RDWR));
        WORKS(openat(tmp, names[i], O_RDWR));
        WORKS(openat(-1, names[i], O_RDWR));
    }
    WORKS(openat(dev, "kvcpu0", O_RDWR));
    WORKS(openat64(dev, "./kvcpu0", O_RDWR));
    WORKS(openat(root, "dev/kvcpu0", O_RDWR));
    WORKS(openat(tmp, "../dev/kvcpu0", O_RDWR));
    CHECK(chdir("/dev") == 0);
    WORKS(open("kvcpu0", O_RDWR));
    WORKS(openat(AT_FDCWD, "./kvcpu0", O_RDWR));
    WORKS(open("../dev//kvcpu0", O_RDWR));
    CHECK(fchdir(root) == 0);
    WORKS(open("dev/kvcpu0", O_RDWR));
    WORKS(open("dev/kvcpu0", O_RDWR | O_CREAT, 0600));
    REFUSED(access("/dev/kvcpu0", F_OK), ENOENT); /* nothing has been created there */
    REFUSED(open("dev/kvcpu0", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    REFUSED(open("/dev//kvcpu0/", O_RDWR), ENOTDIR);
    REFUSED(openat(dev, "kvcpu0", O_RDONLY | O_DIRECTORY), ENOTDIR);
}

static void linked(void) {
    char far[PATH_MAX];
    CHECK(symlink("/dev/kvcpu0", "absolute") == 0 && symlink("../../../../../../../../../../dev/kvcpu0", "relative") == 0);
    CHECK(symlink("relative", "second") == 0 && symlink("/dev", "directory") == 0 && mkdir("sub", 0700) == 0);
    CHECK(symlink("../second", "sub/third") == 0 && symlink("loop", "loop") == 0);
    WORKS(open("absolute", O_RDWR));
    WORKS(open("relative", O_RDWR));
    WORKS(open("second", O_RDWR));
    WORKS(open("directory/kvcpu0", O_RDWR));
    WORKS(open("sub/third", O_RDWR));
    WORKS(open("sub/../sub/./third", O_RDWR));
    snprintf(far, sizeof far, "%s/sub/third", folder);
    WORKS(open(far, O_RDWR));
    REFUSED(open("absolute", O_RDWR | O_NOFOLLOW), ELOOP);
    REFUSED(open("absolute", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    WORKS(open("directory/kvcpu0", O_RDWR | O_NOFOLLOW)); /* it counts for the last component only */
    REFUSED(open("loop", O_RDWR), ELOOP);
}

static void others(void) { /* everything else is the kernel's, with its errors */
    char name[PATH_MAX + 8];
    struct stat made;
    const int missing = open("/dev", O_RDONLY);
    CHECK(missing >= 0 && close(missing) == 0);
    WORKS(open(DEVICE, O_RDWR));
    REFUSED(open("kvcpu0", O_RDWR), ENOENT);
    REFUSED(open("/dev/kvcpu0x", O_RDWR), ENOENT);
    REFUSED(open("/dev/kvcpu", O_RDWR), ENOENT);
    REFUSED(open("/dev/none/kvcpu0", O_RDWR), ENOENT);
    REFUSED(open("/dev/null/kvcpu0", O_RDWR), ENOTDIR);
    REFUSED(openat(missing, "kvcpu0", O_RDWR), EBADF);
    REFUSED(open("", O_RDWR), ENOENT);
    REFUSED(open((const char *)8, O_RDWR), EFAULT);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    REFUSED(open(name, O_RDWR), ENAMETOOLONG);
    const int file = open("kvcpu0", O_RDWR | O_CREAT, 0640);
    CHECK(file >= 0 && fstat(file, &made) == 0 && S_ISREG(made.st_mode) && (made.st_mode & 0777) == 0640);
    CHECK(write(file, "abc", 3) == 3 && fcntl(file, F_GETFL) == (O_RDWR | (fcntl(file, F_GETFL) & ~O_ACCMODE)));
    FILE *const stream = fopen("kvcpu0", "r+");
    CHECK(stream != NULL && fgetc(stream) == 'a' && fclose(stream) == 0 && unlink("kvcpu0") == 0);
    CHECK(fopen("kvcpu0", "r") == NULL && errno == ENOENT);
}

static void functions(void) {
    static const struct {
        const char *name;
        int flags;
    } modes[] = {{"r", O_RDONLY}, {"rb", O_RDONLY}, {"r+", O_RDWR}, {"w", O_WRONLY},
                 {"w+", O_RDWR},  {"a", O_WRONLY},  {"re", O_RDONLY}, {"r+,ccs=UTF-8", O_RDWR}};
    WORKS(creat(DEVICE, 0600));
    WORKS(creat64("/dev/./kvcpu0", 0600));
    for (size_t i = 0; i < sizeof modes / sizeof *modes; ++i)
        for (int big = 0; big < 2; ++big) {
            FILE *const stream = big ? fopen64(DEVICE, modes[i].name) : fopen("/dev//kvcpu0", modes[i].name);
            CHECK(stream != NULL && advance(fileno(stream), 2) == 0);
            CHECK((fcntl(fileno(stream), F_GETFL) & O_ACCMODE) == modes[i].flags);
            CHECK(fcntl(fileno(stream), F_GETFD) == (modes[i].name[1] == 'e' ? FD_CLOEXEC : 0));
            CHECK(fclose(stream) == 0);
        }
    CHECK(fopen(DEVICE, "wx") == NULL && errno == EEXIST);
    CHECK(fopen(DEVICE, "?") == NULL && errno == EINVAL);
}

static void modes(void) {
    static const int accesses[] = {O_RDONLY, O_WRONLY, O_RDWR};
    char data[256];
    for (size_t i = 0; i < 3; ++i) {
        const int access = accesses[i], fd = open(DEVICE, access), waiting = open(DEVICE, access | O_NONBLOCK);
        CHECK(fd >= 0 && waiting >= 0);
        CHECK(fcntl(fd, F_GETFL) == access && fcntl(dup(fd), F_GETFL) == access);
        CHECK(fcntl(waiting, F_GETFL) == (access | O_NONBLOCK));
        CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(fd, F_GETFL) == (access | O_NONBLOCK));
        CHECK(fcntl(fd, F_SETFL, 0) == 0 && fcntl(fd, F_GETFL) == access);
        REFUSED(write(fd, data, 8), access == O_RDONLY ? EBADF : EINVAL);
        if (access == O_WRONLY) REFUSED(read(fd, data, sizeof data), EBADF);
        CHECK(advance(fd, 1) == 0 && advance(waiting, 1) == 0);
    }
    const int path = open(DEVICE, O_PATH);
    CHECK(path >= 0 && fcntl(path, F_GETFL) == O_PATH);
    REFUSED(advance(path, 1), EBADF);
    REFUSED(read(path, data, sizeof data), EBADF);
    REFUSED(open(DEVICE, O_PATH | O_DIRECTORY), ENOTDIR);
}

static void cleared(void) { /* the environment that said where the node is */
    const int fd = node();
    CHECK(clearenv() == 0 && advance(fd, 1) == 0 && steps(fd) == 1);
    CHECK(setenv("KVCPU_SOCKET", "/nowhere", 1) == 0 && advance(fd, 2) == 0);
    REFUSED(open(DEVICE, O_RDWR), ENXIO); /* what it says now counts for the next open */
    CHECK(clearenv() == 0);
    WORKS(open(DEVICE, O_RDWR)); /* else what it said at first */
}

static void *calls(void *argument) {
    const int fd = *(const int *)argument;
    for (int i = 0; i < 50; ++i) {
        struct telemetry seen;
        memset(&seen, 0xEE, sizeof seen);
        CHECK(advance(fd, 7) == 0 && ioctl(fd, TELEMETRY, &seen) == 0 && seen.step == 7);
    }
    return NULL;
}

static void full_table(void) {
    enum { THREADS = 8 };
    const struct rlimit few = {64, 64};
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pthread_t thread[THREADS];
    int fd = node(), status = 0, last = 0;
    const int file = open("locked", O_RDWR | O_CREAT, 0600);
    CHECK(file >= 0 && fcntl(file, F_SETLK, &lock) == 0 && setrlimit(RLIMIT_NOFILE, &few) == 0);
    for (int twin; (twin = dup(file)) >= 0;) last = twin;
    CHECK(errno == EMFILE && last == 63);
    CHECK(advance(fd, 1) == 0 && steps(fd) == 1);
    REFUSED(ioctl(fd, STEP, (void *)8), EFAULT);
    REFUSED(ioctl(fd, 0x1234, NULL), ENOTTY);
    for (int i = 0; i < THREADS; ++i) CHECK(pthread_create(&thread[i], NULL, calls, &fd) == 0);
    for (int i = 0; i < THREADS; ++i) CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK(steps(fd) == 1 + THREADS * 50);
    for (int each = 0; each <= last; ++each) CHECK(fcntl(each, F_GETFD) >= 0); /* none was closed */
    if (fork() == 0) { /* nor was the lock lost */
        CHECK(fcntl(file, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK && lock.l_pid == getppid());
        exit(0);
    }
    CHECK(wait(&status) > 0 && status == 0);
}

static void closed(void) {
    const int fd = node(), high = fcntl(fd, F_DUPFD, 100), twin = dup2(fd, 50);
    CHECK(high >= 100 && twin == 50 && advance(twin, 1) == 0);
    CHECK(syscall(SYS_close_range, 60, ~0u, 0) == 0);
    REFUSED(advance(high, 2), EBADF);
    CHECK(advance(fd, 2) == 0 && advance(twin, 3) == 0 && steps(fd) == 3);
    const int file = open("/dev/null", O_RDWR);
    CHECK(file >= 0 && dup2(file, twin) == twin); /* the number is another file's now */
    REFUSED(advance(twin, 4), ENOTTY);
    CHECK(steps(fd) == 3);
}

static void reopened(void) { /* by the names that descriptors have */
    char name[64];
    const int fd = node();
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    WORKS(open(name, O_RDWR));
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    WORKS(open(name, O_RDWR));
    CHECK(dup2(fd, 0) == 0);
    WORKS(open("/dev/stdin", O_RDONLY));
    const int other = open(name, O_RDWR);
    CHECK(advance(fd, 1) == 0 && steps(fd) == 1 && steps(other) == 0); /* an open file of its own */
}

static void executed(char *program) { /* with close-on-exec and without */
    char numbers[2][16];
    const int kept = open(DEVICE, O_RDONLY | O_NONBLOCK), gone = open(DEVICE, O_RDWR | O_CLOEXEC);
    CHECK(kept >= 0 && gone >= 0 && advance(kept, 9) == 0);
    snprintf(numbers[0], sizeof numbers[0], "%d", kept);
    snprintf(numbers[1], sizeof numbers[1], "%d", gone);
    CHECK(unsetenv("KVCPU_SOCKET") == 0);
    execl(program, program, "inherited", numbers[0], numbers[1], (char *)NULL);
    CHECK(!"exec");
}

static void inherited(int kept, int gone) {
    CHECK(advance(kept, 10) == 0 && steps(kept) == 2 && fcntl(kept, F_GETFL) == (O_RDONLY | O_NONBLOCK));
    REFUSED(advance(gone, 1), EBADF);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"spelled", spelled}, {"linked", linked},         {"others", others}, {"functions", functions},
                 {"modes", modes},     {"cleared", cleared},       {"closed", closed}, {"full_table", full_table},
                 {"reopened", reopened}};
    const char *const what = argc > 1 ? argv[1] : "";
    char own[PATH_MAX];
    int known = 0;
    if (argc == 3) {
        folder = argv[2];
        CHECK(realpath(argv[0], own) != NULL && chdir(folder) == 0);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        if (strcmp(what, cases[i].name) == 0) {
            cases[i].run();
            known = 1;
        }
    if (strcmp(what, "executed") == 0) executed(own);
    if (strcmp(what, "inherited") == 0 && argc == 4) {
        inherited(atoi(argv[2]), atoi(argv[3]));
        known = 1;
    }
    if (!known) return 2;
    printf("good\n");
    return 0;
}
