/* What programs do with a descriptor of the device node besides calling it: one case an argument. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"

static void opens(int flags) { /* not a constant: a fortified program calls __open_2 */
    int fd;
    CHECK((fd = open(DEVICE, flags)) >= 0 && advance(fd, 1) == 0 && close(fd) == 0);
    CHECK((fd = open64(DEVICE, flags)) >= 0 && advance(fd, 1) == 0 && close(fd) == 0);
    CHECK((fd = openat(AT_FDCWD, DEVICE, flags)) >= 0 && advance(fd, 1) == 0 && close(fd) == 0);
    CHECK((fd = openat64(AT_FDCWD, DEVICE, flags)) >= 0 && advance(fd, 1) == 0 && close(fd) == 0);
    CHECK((fd = open(DEVICE, flags | O_CREAT | O_TRUNC, 0600)) >= 0 && advance(fd, 1) == 0 && close(fd) == 0);
    CHECK(open(DEVICE, O_CREAT | O_EXCL | O_RDWR, 0600) == -1 && errno == EEXIST);
    CHECK(open(DEVICE, O_DIRECTORY) == -1 && errno == ENOTDIR);
    CHECK((fd = open(DEVICE, O_RDWR | O_CLOEXEC)) >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && close(fd) == 0);
    CHECK((fd = open(DEVICE, O_RDWR)) >= 0 && fcntl(fd, F_GETFD) == 0 && close(fd) == 0);
}

static void other_files(void) {
    char name[] = "/tmp/kvcpu-corner-XXXXXX", data[4];
    int value = 0, pipes[2];
    const int fd = mkstemp(name);
    CHECK(fd >= 0 && close(fd) == 0 && unlink(name) == 0);
    const int made = open(name, O_RDWR | O_CREAT, 0640);
    CHECK(made >= 0 && write(made, "abc", 3) == 3 && lseek(made, 0, SEEK_SET) == 0 && read(made, data, 3) == 3);
    CHECK(ioctl(made, STEP, &value) == -1 && errno == ENOTTY);
    CHECK(close(made) == 0 && unlink(name) == 0);
    CHECK(open("/dev/kvcpu1", O_RDWR) == -1 && errno == ENOENT);
    CHECK(openat(-1, "/dev/null", O_RDONLY) >= 0);
    CHECK(pipe(pipes) == 0 && write(pipes[1], "abc", 3) == 3 && ioctl(pipes[0], FIONREAD, &value) == 0 && value == 3);
    CHECK(ioctl(-1, STEP, &value) == -1 && errno == EBADF);
}

static void duplicates(void) {
    const int fd = node(), twin = dup(fd), high = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    CHECK(twin >= 0 && high >= 100 && dup3(fd, 200, O_CLOEXEC) == 200);
    CHECK(advance(fd, 1) == 0 && advance(twin, 2) == 0 && advance(high, 3) == 0 && advance(200, 4) == 0);
    CHECK(close(fd) == 0 && close(high) == 0 && close(200) == 0);
    CHECK(steps(twin) == 4); /* one open file */
    const int other = node();
    CHECK(steps(other) == 0 && steps(twin) == 4);
    CHECK(advance(fd, 1) == 0 || errno == EBADF);
    CHECK(close(twin) == 0 && advance(twin, 5) == -1 && errno == EBADF);
}

static void forks(void) {
    enum { CHILDREN = 4, CALLS = 200 };
    const int fd = node();
    for (int child = 0; child < CHILDREN; ++child)
        if (fork() == 0) {
            for (int i = 0; i < CALLS; ++i) CHECK(advance(fd, (uint64_t)i) == 0 && steps(fd) >= (uint64_t)i);
            exit(0);
        }
    for (int i = 0; i < CALLS; ++i) CHECK(advance(fd, 1) == 0);
    for (int child = 0; child < CHILDREN; ++child) {
        int status = 0;
        CHECK(wait(&status) > 0 && status == 0);
    }
    CHECK(steps(fd) == (CHILDREN + 1) * CALLS);
}

static void *calls(void *argument) {
    const int fd = *(const int *)argument;
    struct telemetry seen;
    for (int i = 0; i < 200; ++i) {
        CHECK(advance(fd, 7) == 0);
        memset(&seen, 0xEE, sizeof seen);
        CHECK(ioctl(fd, TELEMETRY, &seen) == 0 && seen.step == 7 && seen.hots == 0);
        CHECK(ioctl(fd, 0x1234, &seen) == -1 && errno == ENOTTY);
    }
    return NULL;
}

static void threads(void) {
    pthread_t thread[8];
    int fd = node();
    for (int i = 0; i < 8; ++i) CHECK(pthread_create(&thread[i], NULL, calls, &fd) == 0);
    for (int i = 0; i < 8; ++i) CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK(steps(fd) == 1600);
}

static void crowded(void) { /* more callers than the connection holds requests, and it does not block */
    enum { THREADS = 16 };
    pthread_t thread[THREADS];
    const int smallest = 1;
    int fd = node(), on = 1;
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest) == 0 && ioctl(fd, FIONBIO, &on) == 0);
    for (int i = 0; i < THREADS; ++i) CHECK(pthread_create(&thread[i], NULL, calls, &fd) == 0);
    for (int i = 0; i < THREADS; ++i) CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK(steps(fd) == THREADS * 200);
}

static void answered(int error) { /* whatever the other side says */
    struct telemetry seen;
    const int fd = node();
    CHECK(ioctl(fd, TELEMETRY, &seen) == -1 && errno == error);
}

static void pointers(void) {
    const int fd = node();
    const long page = sysconf(_SC_PAGESIZE);
    char *const two = mmap(NULL, (size_t)(2 * page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(two != MAP_FAILED && mprotect(two + page, (size_t)page, PROT_NONE) == 0);
    static const char constant[96] = "read only";
    CHECK(ioctl(fd, STEP, NULL) == -1 && errno == EFAULT);
    CHECK(ioctl(fd, STEP, (void *)8) == -1 && errno == EFAULT);
    CHECK(ioctl(fd, STEP, (void *)-4096L) == -1 && errno == EFAULT);
    CHECK(ioctl(fd, STEP, two + page - 4) == -1 && errno == EFAULT); /* half of it is there */
    CHECK(ioctl(fd, STEP, two + page - 8) == 0);
    CHECK(ioctl(fd, HOT, two + page - 16) == -1 && errno == EFAULT);
    CHECK(ioctl(fd, WEIGHTS, two + page) == -1 && errno == EFAULT);
    CHECK(ioctl(fd, TELEMETRY, two + page - 95) == -1 && errno == EFAULT);
    CHECK(ioctl(fd, TELEMETRY, two + page - 96) == 0);
    CHECK(ioctl(fd, TELEMETRY, constant) == -1 && errno == EFAULT);
    CHECK(ioctl(fd, TELEMETRY, NULL) == -1 && errno == EFAULT);
    CHECK(ioctl(fd, 0x40084B63, (void *)8) == -1 && errno == ENOTTY); /* nothing is read */
    CHECK(ioctl(fd, 0x40084B63) == -1 && errno == ENOTTY);
    CHECK(steps(fd) == 1);
}

static void ordinary(void) {
    const int fd = node();
    int on = 1;
    char data[64];
    CHECK(ioctl(fd, FIOCLEX) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(ioctl(fd, FIONCLEX) == 0 && fcntl(fd, F_GETFD) == 0);
    CHECK(ioctl(fd, FIONREAD, &on) == -1 && errno == ENOTTY);
    CHECK(!isatty(fd) && errno == ENOTTY);
    CHECK(ioctl(fd, FIONBIO, &on) == 0);
    for (int i = 0; i < 500; ++i) CHECK(advance(fd, 1) == 0);
    CHECK(read(fd, data, sizeof data) == -1 && errno == EAGAIN);
    errno = 77;
    CHECK(advance(fd, 1) == 0 && errno == 77);
}

static void ticks(int number) {
    (void)number;
}

static void signals(void) {
    const struct sigaction act = {.sa_handler = ticks}; /* without SA_RESTART */
    const struct itimerval often = {{0, 200}, {0, 200}};
    const int fd = node();
    CHECK(sigaction(SIGALRM, &act, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int i = 0; i < 1000; ++i) CHECK(advance(fd, 1) == 0);
    CHECK(steps(fd) == 1000);
}

static void executed(char *program) {
    char number[16];
    const int fd = node();
    CHECK(advance(fd, 9) == 0);
    snprintf(number, sizeof number, "%d", fd);
    execl(program, program, "inherited", number, (char *)NULL);
    CHECK(!"exec");
}

static void passed(void) {
    int pair[2], fd = node(), got = -1;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && advance(fd, 3) == 0);
    struct cmsghdr *const header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    CHECK(sendmsg(pair[0], &message, 0) == 1 && close(fd) == 0 && recvmsg(pair[1], &message, 0) == 1);
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got);
    CHECK(advance(got, 4) == 0 && steps(got) == 2);
}

static void no_descriptors(void) {
    const int fd = node();
    const struct rlimit few = {(rlim_t)fd + 1, (rlim_t)fd + 1};
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK(open(DEVICE, O_RDWR) == -1 && errno == EMFILE);
    CHECK(advance(fd, 1) == 0 && steps(fd) == 1);
}

static void gone(void) { /* the node ends while the file is open */
    const int fd = node();
    CHECK(advance(fd, 1) == 0);
    printf("ready\n");
    fflush(stdout);
    CHECK(getchar() == 'x');
    CHECK(advance(fd, 2) == -1 && errno == ENODEV);
    CHECK(open(DEVICE, O_RDWR) == -1 && errno == ENXIO);
}

static void stepping(void) { /* until the node ends */
    const int fd = node();
    printf("ready\n");
    fflush(stdout);
    while (advance(fd, 1) == 0) {
    }
    CHECK(errno == EIO || errno == ENODEV);
}

int main(int argc, char **argv) {
    const char *const what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "opens")) opens(O_RDWR + argc - 2);
    else if (!strcmp(what, "other_files")) other_files();
    else if (!strcmp(what, "duplicates")) duplicates();
    else if (!strcmp(what, "forks")) forks();
    else if (!strcmp(what, "threads")) threads();
    else if (!strcmp(what, "crowded")) crowded();
    else if (!strcmp(what, "answered")) answered(atoi(argv[2]));
    else if (!strcmp(what, "pointers")) pointers();
    else if (!strcmp(what, "ordinary")) ordinary();
    else if (!strcmp(what, "signals")) signals();
    else if (!strcmp(what, "executed")) executed(argv[0]);
    else if (!strcmp(what, "inherited")) CHECK(advance(atoi(argv[2]), 10) == 0 && steps(atoi(argv[2])) == 2);
    else if (!strcmp(what, "passed")) passed();
    else if (!strcmp(what, "no_descriptors")) no_descriptors();
    else if (!strcmp(what, "gone")) gone();
    else if (!strcmp(what, "stepping")) stepping();
    else if (!strcmp(what, "open")) CHECK(open(DEVICE, O_RDWR) >= 0);
    else return 2;
    printf("good\n");
    return 0;
}
