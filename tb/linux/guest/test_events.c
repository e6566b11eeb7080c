/* read and poll: records, waiting, signals. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static void migrate(int fd, unsigned token, unsigned tier) {
    struct kvcpu_migrate move = {.token = token, .request = 8, .tier = tier};
    CHECK(ioctl(fd, KVCPU_IOC_MIGRATE, &move) == 0);
}

static void nothing_to_read(void) {
    struct kvcpu_event event;
    const int fd = open(NODE, O_RDWR | O_NONBLOCK);
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    CHECK(fd >= 0);
    FAILS(read(fd, &event, sizeof event), EAGAIN);
    FAILS(read(fd, &event, sizeof event - 1), EINVAL);
    CHECK(poll(&asked, 1, 1) == 0);
    FAILS(lseek(fd, 0, SEEK_SET), ESPIPE);
    close(fd);
}

static void poll_wakes(void) {
    struct kvcpu_event events[4];
    const int fd = open_node();
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    configure();
    insert(fd, 8, 0, 1);
    migrate(fd, 0, 2);
    CHECK(poll(&asked, 1, 1000) == 1 && asked.revents == POLLIN);
    CHECK(read(fd, events, sizeof events) == sizeof *events);
    CHECK(events[0].status == KVCPU_COMPLETION_OK && events[0].lost == 0 && events[0].reserved == 0);
    CHECK(events[0].time_ns != 0);
    CHECK(poll(&asked, 1, 1) == 0);
    close(fd);
}

static void every_file_gets_every_record(void) {
    struct kvcpu_event one, other;
    const int fd = open_node(), second = open_node();
    configure();
    insert(fd, 8, 0, 1);
    migrate(fd, 0, 2);
    CHECK(read(fd, &one, sizeof one) == sizeof one);
    CHECK(read(second, &other, sizeof other) == sizeof other);
    CHECK(memcmp(&one, &other, sizeof one) == 0);
    close(fd);
    close(second);
}

static void bad_buffer(void) {
    const int fd = open_node();
    configure();
    insert(fd, 8, 0, 1);
    migrate(fd, 0, 2);
    void *volatile nowhere = (void *)8;
    FAILS(read(fd, nowhere, sizeof(struct kvcpu_event)), EFAULT);
    /* the second record has no place: the first is what was read */
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED && munmap(pages + 4096, 4096) == 0);
    for (unsigned n = 1; n < 3; n++) {
        insert(fd, 8, n * TOKENS, 1);
        migrate(fd, n * TOKENS, 2);
    }
    wait_ms(1);
    CHECK(read(fd, pages + 4096 - sizeof(struct kvcpu_event), 2 * sizeof(struct kvcpu_event)) == sizeof(struct kvcpu_event));
    close(fd);
}

/* A file that does not read: the newest are lost, and the next record that finds room tells how many. */
static void records_are_lost_and_counted(void) {
    static struct kvcpu_event events[300];
    const int fd = open_node(), busy = open_node();
    struct kvcpu_event event;
    configure();
    insert(busy, 8, 0, 1);
    for (unsigned n = 0; n < 259; n++) {
        const struct kvcpu_step step = {n + 1}; /* frees the slots that were left */
        CHECK(ioctl(busy, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
        migrate(busy, 0, n % 2 ? 1 : 2);
        CHECK(read(busy, &event, sizeof event) == sizeof event && event.status == KVCPU_COMPLETION_OK);
    }
    CHECK(read(fd, events, sizeof events) == 256 * sizeof event);
    CHECK(events[255].lost == 0);
    migrate(busy, 0, 1);
    CHECK(read(fd, &event, sizeof event) == sizeof event && event.lost == 3);
    close(fd);
    close(busy);
}

/* Interrupts come faster than they are served: no record stays behind in the device. */
static void many_moves(void) {
    struct kvcpu_event event;
    const int fd = open_node();
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    configure();
    for (unsigned n = 0; n < 60; n++) insert(fd, 8, n * TOKENS, 1);
    bind_blocks(fd, 0x100000, 60, 8, 0);
    for (unsigned first = 0; first < 60; first += 3) {
        const uint64_t va = 0x100000 + (uint64_t)first * BLOCK;
        CHECK(hint(fd, KVCPU_IOC_EVICT, va, 3 * BLOCK, 0) == 0);
        for (unsigned n = 0; n < 3; n++) {
            CHECK(poll(&asked, 1, 10) == 1);
            CHECK(read(fd, &event, sizeof event) == sizeof event);
            CHECK(event.kind == KVCPU_EVENT_COMPLETION && event.status == KVCPU_COMPLETION_OK && event.lost == 0);
        }
    }
    CHECK(poll(&asked, 1, 1) == 0);
    close(fd);
}

static void on_alarm(int number) {
    (void)number;
}

static void alarm_in_ms(int ms, int flags) {
    const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
    const struct itimerval timer = {.it_value = {0, ms * 1000}};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void a_signal_ends_read(void) {
    struct kvcpu_event event;
    const int fd = open_node();
    alarm_in_ms(2, 0);
    FAILS(read(fd, &event, sizeof event), EINTR);
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    alarm_in_ms(2, 0);
    FAILS(poll(&asked, 1, 1000), EINTR);
    close(fd);
}

static void move_later(void) {
    wait_ms(5);
    const int fd = open_node();
    migrate(fd, 0, 2);
    close(fd);
}

/* The record comes while the process waits in poll, which ends then and not at its limit. */
static void poll_waits(void) {
    const int fd = open_node();
    struct timespec begin, end;
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    configure();
    insert(fd, 8, 0, 1);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        move_later();
        _exit(0);
    }
    CHECK(clock_gettime(CLOCK_MONOTONIC, &begin) == 0);
    CHECK(poll(&asked, 1, 1000) == 1 && asked.revents == POLLIN);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &end) == 0);
    CHECK((end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec < 100000000L);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    close(fd);
}

/* With SA_RESTART the read goes on after the signal and gets its record. */
static void a_read_is_restarted(void) {
    struct kvcpu_event event;
    const int fd = open_node();
    configure();
    insert(fd, 8, 0, 1);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        move_later();
        _exit(0);
    }
    alarm_in_ms(2, SA_RESTART);
    CHECK(read(fd, &event, sizeof event) == sizeof event);
    CHECK(event.status == KVCPU_COMPLETION_OK);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    close(fd);
}

/* Signals come at any time while requests wait for the device: each ends as if there had been none. */
static void signals_during_requests(void) {
    const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval timer = {.it_value = {0, 100}, .it_interval = {0, 100}};
    const int fd = open_node();
    configure();
    bind_blocks(fd, 0x100000, 64, 8, 0);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &timer, NULL) == 0);
    for (unsigned round = 0; round < 4; round++) {
        struct kvcpu_free freed = {.request = 8};
        for (unsigned n = 0; n < 32; n++) insert(fd, 8, n * TOKENS, 1);
        CHECK(hint(fd, KVCPU_IOC_MARK_HOT, 0x100000, 64 * BLOCK, 0) == 0);
        CHECK(ioctl(fd, KVCPU_IOC_FREE_REQUEST, &freed) == 0 && freed.removed == 32);
    }
    timer = (struct itimerval){0};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    close(fd);
}

static void a_written_block_is_dirty(void) {
    const int fd = open_node();
    configure();
    insert(fd, 1, 0, 1);
    CHECK(strstr(entry(1, 0), "tier 1") && !strstr(entry(1, 0), "dirty"));
    accelerator_lookup(1, 0, 1);
    CHECK(strstr(entry(1, 0), "dirty"));
    close(fd);
}

/* A miss of the accelerator, with a write or without. */
static void the_accelerator_misses(void) {
    struct kvcpu_event event;
    const int fd = open_node();
    for (int write = 0; write < 2; write++) {
        accelerator_lookup(1, 32, write);
        CHECK(read(fd, &event, sizeof event) == sizeof event && event.kind == KVCPU_EVENT_MISS);
        CHECK(event.request == 1 && event.token == 32);
    }
    close(fd);
}

/* More misses than the device's queue holds: those that were dropped are counted, and nothing else is lost. */
static void misses_overflow(void) {
    static struct kvcpu_event events[80];
    const int fd = open_node();
    for (unsigned n = 0; n < 80; n++) accelerator_asks(1, n * TOKENS, 0);
    wait_ms(1);
    const uint64_t dropped = get(SYS "counters/miss_dropped_count");
    CHECK(dropped > 0 && dropped < 80);
    CHECK(read(fd, events, sizeof events) == (ssize_t)((80 - dropped) * sizeof *events));
    close(fd);
}

static const struct test tests[] = {
    TEST(nothing_to_read), TEST(poll_wakes), TEST(every_file_gets_every_record), TEST(bad_buffer),
    TEST(records_are_lost_and_counted), TEST(many_moves), TEST(poll_waits), TEST(a_signal_ends_read), TEST(a_read_is_restarted),
    TEST(signals_during_requests), TEST(a_written_block_is_dirty), TEST(the_accelerator_misses), TEST(misses_overflow), END,
};
const struct suite events_suite = {"events", "", tests};
