/* The module and the device come and go. */
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define DRIVER "/sys/bus/pci/drivers/kv_cpu/"
#define SLOT "0000:00:00.0"

static void load_and_unload(void) {
    for (int n = 0; n < 100; n++) {
        load("");
        if (n % 10 == 0) {
            const struct kvcpu_step step = {(uint64_t)n};
            const int fd = open_node();
            CHECK(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
            close(fd);
        }
        unload();
    }
}

static void an_open_file_keeps_the_module(void) {
    load("");
    const int fd = open_node();
    char text[8];
    CHECK(contents("/sys/module/kv_cpu/refcnt", text, sizeof text) > 0 && text[0] != '0');
    close(fd);
    unload();
}

/* The driver is taken from the device while a file is open and a process waits in read. */
static void unbound_while_open(void) {
    struct kvcpu_step step = {1};
    load("");
    const int fd = open_node();
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct kvcpu_event event;
        const ssize_t got = read(fd, &event, sizeof event);
        _exit(got == -1 && errno == ENODEV ? 0 : 1);
    }
    wait_ms(2);
    put(DRIVER "unbind", SLOT);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    FAILS(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &step), ENODEV);
    CHECK(poll(&asked, 1, 0) == 1 && asked.revents == (POLLERR | POLLHUP));
    CHECK(access(NODE, F_OK) == -1);
    put(DRIVER "bind", SLOT);
    FAILS(ioctl(fd, KVCPU_IOC_STEP_ADVANCE, &step), ENODEV);
    close(fd);
    /* the old node had its number until its last file was closed */
    unload();
    load("");
    const int again = open_node();
    CHECK(ioctl(again, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
    close(again);
    unload();
}

/* More often than there are numbers for nodes. */
static void bound_again_and_again(void) {
    load("");
    for (int n = 0; n < 20; n++) {
        put(DRIVER "unbind", SLOT);
        put(DRIVER "bind", SLOT);
    }
    const int fd = open_node();
    close(fd);
    unload();
}

static void unbound_with_references(void) {
    load("");
    const int fd = open_node();
    configure();
    insert(fd, 1, 0, 1);
    bind_blocks(fd, 0x10000, 1, 1, 0);
    CHECK(hint(fd, KVCPU_IOC_SHARE_PREFIX, 0x10000, 1, 0) == 0);
    put(DRIVER "unbind", SLOT);
    close(fd);
    unload();
}

/* A copy ends after the driver has gone from the device: its completion raises no interrupt, and the next driver finds
 * it. */
static void a_quiet_line_without_a_driver(void) {
    const struct timespec pause = {0, 100000};
    const struct kvcpu_migrate move = {.request = 1, .tier = 2};
    load("");
    const int fd = open_node();
    configure();
    put(SYS "block_bytes", "65536");
    insert(fd, 1, 0, 1);
    CHECK(ioctl(fd, KVCPU_IOC_MIGRATE, &move) == 0);
    close(fd);
    put(DRIVER "unbind", SLOT);
    nanosleep(&pause, NULL);
    CHECK(!interrupt_line());
    put(DRIVER "bind", SLOT);
    nanosleep(&pause, NULL);
    CHECK(get(SYS "interrupts") == 1);
    unload();
    CHECK(!interrupt_line());
}

static const struct test tests[] = {
    TEST(load_and_unload), TEST(an_open_file_keeps_the_module), TEST(unbound_while_open),
    TEST(bound_again_and_again), TEST(unbound_with_references), TEST(a_quiet_line_without_a_driver), END,
};
const struct suite lifetime_suite = {"lifetime", NULL, tests};
