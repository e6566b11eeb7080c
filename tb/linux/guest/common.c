/* What several suites use. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

int open_node(void) {
    const int fd = open(NODE, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

int try_put(const char *file, const char *text) {
    const int fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    const ssize_t done = write(fd, text, strlen(text));
    const int error = errno;
    close(fd);
    errno = error;
    return done == (ssize_t)strlen(text) ? 0 : -1;
}

void put(const char *file, const char *text) {
    CHECK(try_put(file, text) == 0);
}

int contents(const char *file, char *text, size_t room) {
    const int fd = open(file, O_RDONLY | O_CLOEXEC);
    size_t done = 0;
    if (fd < 0) return -1;
    for (ssize_t part; done < room - 1 && (part = read(fd, text + done, room - 1 - done)) != 0; done += (size_t)part)
        if (part < 0) {
            const int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
    close(fd);
    text[done] = 0;
    return (int)done;
}

uint64_t get(const char *file) {
    char text[64];
    CHECK(contents(file, text, sizeof text) > 0);
    return strtoull(text, NULL, 0);
}

void configure(void) {
    char file[128], value[32];
    for (unsigned tier = 0; tier < 4; tier++) {
        snprintf(file, sizeof file, SYS "tiers/tier%u_base", tier);
        snprintf(value, sizeof value, "%#x", tier << 28);
        put(file, value);
        snprintf(file, sizeof file, SYS "tiers/tier%u_slots", tier);
        put(file, "64");
    }
}

void insert(int fd, unsigned request, unsigned token, unsigned tier) {
    struct kvcpu_insert block = {
        .token = token, .request = (uint16_t)request, .token_end = token + TOKENS - 1, .tier = (uint8_t)tier};
    CHECK(ioctl(fd, KVCPU_IOC_INSERT, &block) == 0);
}

int lookup(int fd, unsigned request, unsigned token, struct kvcpu_lookup *found) {
    *found = (struct kvcpu_lookup){.token = token, .request = (uint16_t)request};
    return ioctl(fd, KVCPU_IOC_LOOKUP, found);
}

void bind_blocks(int fd, uint64_t va, unsigned blocks, unsigned request, unsigned token) {
    struct kvcpu_bind bind = {.va = va, .len = (uint64_t)blocks * BLOCK, .token = token, .request = (uint16_t)request};
    CHECK(ioctl(fd, KVCPU_IOC_BIND, &bind) == 0);
}

int hint(int fd, unsigned long call, uint64_t va, uint64_t len, uint64_t step) {
    struct kvcpu_range range = {.va = va, .len = len, .target_step = step};
    return ioctl(fd, call, &range);
}

const char *entry(unsigned request, unsigned token) {
    static char text[1 << 16], name[64];
    CHECK(contents(DEBUG "entries", text, sizeof text) >= 0);
    snprintf(name, sizeof name, ": %u:0:0:%u-", request, token);
    char *line = strstr(text, name);
    if (!line) return "";
    line[strcspn(line, "\n")] = 0;
    return line;
}

void wait_ms(unsigned ms) {
    const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

int try_fault(int what, unsigned tier, uint32_t number) {
    const int fd = open(PCI "config", O_RDWR | O_CLOEXEC);
    const uint8_t op = (uint8_t)what, which = (uint8_t)tier;
    if (fd < 0) return -1;
    const int done = pwrite(fd, &number, sizeof number, 0x68) == sizeof number && pwrite(fd, &which, 1, 0x65) == 1 &&
                     pwrite(fd, &op, 1, 0x64) == 1;
    close(fd);
    return done ? 0 : -1;
}

void fault(int what, uint32_t after_ns) {
    CHECK(try_fault(what, 0, after_ns) == 0);
}

void axi_errors(unsigned tier, int write, unsigned bursts) {
    CHECK(try_fault(write ? FAULT_AXI_WRITE : FAULT_AXI_READ, tier, bursts) == 0);
}

void accelerator_asks(unsigned request, unsigned token, int write) {
    const uint64_t address = (uint64_t)request << 48 | token;
    const uint32_t asked = write ? 1 << 8 : 0; /* at port 0 */
    const int fd = open(PCI "config", O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(pwrite(fd, &address, sizeof address, 0x88) == sizeof address);
    CHECK(pwrite(fd, &asked, sizeof asked, 0x84) == sizeof asked);
    close(fd);
}

void bad_parity(unsigned index) {
    CHECK(try_fault(FAULT_PARITY, 0, index) == 0);
}

/* Of the testbench's capability. */
static void look(off_t at, void *data, size_t size) {
    const int fd = open(PCI "config", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(pread(fd, data, size, at) == (ssize_t)size);
    close(fd);
}

int interrupt_line(void) {
    uint8_t level;
    look(0x66, &level, sizeof level);
    return level;
}

int accelerator_lookup(unsigned request, unsigned token, int write) {
    uint32_t answer;
    accelerator_asks(request, token, write);
    look(0x90, &answer, sizeof answer);
    return (int)(answer & 1);
}

uint32_t counted_step_to_irq(void) {
    uint32_t ns;
    look(0x6c, &ns, sizeof ns);
    return ns;
}
