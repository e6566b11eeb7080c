/* A command line tool that knows the published interface only (docs/software.md 1): own structs, own numbers.
 *
 * kvctl step N | hot VA LEN | evict VA LEN | prefetch VA LEN STEP | share VA LEN | weights R F S D EVICT PREFETCH |
 * telemetry. Exit status: 0 done, 1 refused, 2 wrong use. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct {
    const char *name;
    int arguments;
    unsigned long request;
} commands[] = {
    {"step", 1, 0x40084B01},  {"hot", 2, 0x40184B02},     {"evict", 2, 0x40184B03},     {"prefetch", 3, 0x40184B04},
    {"share", 2, 0x40184B05}, {"weights", 6, 0x40184B06}, {"telemetry", 0, 0x80604B07},
};

static int usage(void) {
    fprintf(stderr, "usage: kvctl step N | hot VA LEN | evict VA LEN | prefetch VA LEN STEP | share VA LEN | "
                    "weights R F S D EVICT PREFETCH | telemetry\n");
    return 2;
}

static int run(const char *name, unsigned long request, const uint64_t *numbers) {
    union {
        uint64_t words[12]; /* step; va, len, target_step; the counts of telemetry */
        uint32_t halves[24];
    } argument = {.words = {numbers[0], numbers[1], numbers[2]}};
    if (request == 0x40184B06)
        for (int n = 0; n < 6; n++) argument.halves[n] = (uint32_t)numbers[n];
    const int fd = open("/dev/kvcpu0", O_RDWR);
    if (fd < 0 || ioctl(fd, request, &argument) != 0) {
        fprintf(stderr, "kvctl %s: %s\n", name, strerror(errno));
        return 1;
    }
    if (request == 0x80604B07)
        printf("step %llu, weights %u %u %u %u, thresholds %u %u\n", (unsigned long long)argument.words[0],
               argument.halves[18], argument.halves[19], argument.halves[20], argument.halves[21],
               argument.halves[22], argument.halves[23]);
    else
        printf("%s: done\n", name);
    return close(fd) != 0;
}

int main(int count, char **arguments) {
    uint64_t numbers[6] = {0};
    if (count < 2) return usage();
    for (size_t n = 0; n < sizeof commands / sizeof *commands; n++) {
        if (strcmp(commands[n].name, arguments[1])) continue;
        if (count != 2 + commands[n].arguments) return usage();
        for (int at = 2; at < count; at++) {
            char *end;
            errno = 0;
            numbers[at - 2] = strtoull(arguments[at], &end, 0);
            if (errno || *end || end == arguments[at]) return usage();
        }
        return run(commands[n].name, commands[n].request, numbers);
    }
    return usage();
}
