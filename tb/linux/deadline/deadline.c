/* Init of a guest without a device: runs task sets under the kernel's own SCHED_DEADLINE and prints when each job ended.
 *
 * All times of a set are in units of two ticks, 20 ms: the scheduler's clock has no finer step than a tick here, and
 * only every second tick is a multiple of the 256 ns in which timers count. A server is a process; it sleeps until a job
 * arrives, a little after the tick, so that what ends at a tick has ended before, and takes processor time tick by tick
 * until the job has what it needs. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNIT_NS 20000000LL
#define PHASE_NS 100000LL /* ticks are multiples of UNIT_NS / 2; so much later it is seen, at most */
#define AFTER_TICK_NS 500000LL
#define REST_NS 1000000000LL /* Linux keeps the share of a process that has ended up to its deadline */
#define APART_NS 50000LL /* between arrivals at one instant, in the order of the servers */
#define MOST_SERVERS 8
#define MOST_JOBS 32
#define LEAD_UNITS 4 /* between the last process's start and the first arrival, beyond the longest period */
#define SCHED_DEADLINE 6

struct sched_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

struct server {
    unsigned budget, period, jobs;
    unsigned arrival[MOST_JOBS], cost[MOST_JOBS];
};

static struct {
    unsigned servers;
    struct server server[MOST_SERVERS];
} set;

static struct {
    int64_t finish[MOST_SERVERS][MOST_JOBS];
} *seen; /* shared with the servers' processes */

static void fail(const char *what) {
    printf("# ");
    fflush(stdout);
    perror(what);
    fflush(stdout);
    reboot(RB_POWER_OFF);
    _exit(1);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* A process whose next job is there already must not sleep: even a wait for what has passed is one, with a wake-up. */
static void sleep_until(int64_t ns) {
    if (clock_ns(CLOCK_MONOTONIC) >= ns) return;
    const struct timespec at = {ns / 1000000000LL, ns % 1000000000LL};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL)) continue;
}

static void burn(int fd) {
    if (write(fd, "", 1) != 1) fail("kv_burn");
}

static void serve(unsigned number, int64_t base, int fd) {
    const struct server *s = &set.server[number];
    const struct sched_attr attr = {
        .size = sizeof attr, .policy = SCHED_DEADLINE, .runtime = (uint64_t)(s->budget * UNIT_NS),
        .deadline = (uint64_t)(s->period * UNIT_NS), .period = (uint64_t)(s->period * UNIT_NS)};
    if (syscall(SYS_sched_setattr, 0, &attr, 0)) fail("sched_setattr");
    for (unsigned n = 0; n < s->jobs; n++) {
        sleep_until(base + s->arrival[n] * UNIT_NS + AFTER_TICK_NS + number * APART_NS);
        const int64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + s->cost[n] * UNIT_NS;
        while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end) burn(fd);
        seen->finish[number][n] = clock_ns(CLOCK_MONOTONIC) - base;
    }
    _exit(0);
}

/* The next time that a unit begins. */
static int64_t next_unit(int fd) {
    burn(fd); /* from a tick to the next */
    burn(fd);
    const int64_t now = clock_ns(CLOCK_MONOTONIC);
    if (now % (UNIT_NS / 2) > PHASE_NS) fail("ticks are not where they should be");
    return (now / UNIT_NS + 1) * UNIT_NS;
}

static void run(unsigned number, int fd) {
    unsigned longest = 0;
    for (unsigned n = 0; n < set.servers; n++)
        if (set.server[n].period > longest) longest = set.server[n].period;
    const int64_t base = next_unit(fd) + (longest + LEAD_UNITS) * UNIT_NS;
    fflush(stdout);
    for (unsigned n = 0; n < set.servers; n++) {
        const pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) serve(n, base, fd);
    }
    for (unsigned n = 0; n < set.servers; n++) {
        int status;
        if (wait(&status) < 0 || status) fail("a server's process");
    }
    for (unsigned n = 0; n < set.servers; n++)
        for (unsigned job = 0; job < set.server[n].jobs; job++)
            printf("deadline: set %u server %u job %u ended %lld\n", number, n, job, (long long)seen->finish[n][job]);
    fflush(stdout);
    sleep_until(clock_ns(CLOCK_MONOTONIC) + REST_NS);
}

static int next_set(FILE *sets, unsigned *number) {
    if (fscanf(sets, " set %u %u", number, &set.servers) != 2) return 0;
    if (set.servers > MOST_SERVERS) fail("servers of a set");
    for (unsigned n = 0; n < set.servers; n++) {
        struct server *s = &set.server[n];
        if (fscanf(sets, " server %u %u %u", &s->budget, &s->period, &s->jobs) != 3 || s->jobs > MOST_JOBS)
            fail("a server of a set");
        for (unsigned job = 0; job < s->jobs; job++)
            if (fscanf(sets, " job %u %u", &s->arrival[job], &s->cost[job]) != 2) fail("a job of a set");
    }
    return 1;
}

int main(void) {
    const char *module = getenv("kv_module"), *path = getenv("kv_sets");
    unsigned number;
    if (getpid() != 1 || !module || !path) {
        fprintf(stderr, "usage: as init of a guest\n");
        return 2;
    }
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    const int file = open(module, O_RDONLY | O_CLOEXEC);
    if (file < 0 || syscall(SYS_finit_module, file, "", 0)) fail("kv_burn.ko");
    const int fd = open("/dev/kv_burn", O_WRONLY);
    FILE *sets = fopen(path, "r");
    if (fd < 0 || !sets) fail("files");
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED) fail("mmap");
    while (next_set(sets, &number)) run(number, fd);
    printf("# end\n");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
