#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "ring.h"

static void *mapped(int fd, size_t size, uint64_t offset) {
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    CHECK(at != MAP_FAILED);
    return at;
}

void ring_open(struct ring *ring, unsigned entries) {
    struct io_uring_params given = {0};
    ring->fd = (int)syscall(SYS_io_uring_setup, entries, &given);
    CHECK(ring->fd >= 0);
    char *sq = mapped(ring->fd, given.sq_off.array + given.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    char *cq = mapped(ring->fd, given.cq_off.cqes + given.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    ring->entries = mapped(ring->fd, given.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    ring->sq_tail = (unsigned *)(sq + given.sq_off.tail);
    ring->sq_mask = (unsigned *)(sq + given.sq_off.ring_mask);
    ring->sq_array = (unsigned *)(sq + given.sq_off.array);
    ring->cq_head = (unsigned *)(cq + given.cq_off.head);
    ring->cq_tail = (unsigned *)(cq + given.cq_off.tail);
    ring->cq_mask = (unsigned *)(cq + given.cq_off.ring_mask);
    ring->results = cq + given.cq_off.cqes;
}

void ring_close(struct ring *ring) {
    close(ring->fd);
}

void ring_put(struct ring *ring, int fd, unsigned op, const struct kvcpu_move *move, uint64_t tag) {
    const unsigned tail = *ring->sq_tail, at = tail & *ring->sq_mask;
    struct io_uring_sqe *entry = (struct io_uring_sqe *)ring->entries + at;
    memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_URING_CMD;
    entry->fd = fd;
    entry->cmd_op = op;
    entry->user_data = tag;
    memcpy(entry->cmd, move, sizeof *move);
    ring->sq_array[at] = at;
    __atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
}

void ring_submit(struct ring *ring, unsigned count) {
    CHECK(syscall(SYS_io_uring_enter, ring->fd, count, 0, 0, NULL, 0) == (long)count);
}

int ring_ready(const struct ring *ring) {
    return __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) != *ring->cq_head;
}

int ring_wait(struct ring *ring, uint64_t *tag) {
    while (!ring_ready(ring)) {
        const long done = syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        CHECK(done == 0 || errno == EINTR);
    }
    const unsigned head = *ring->cq_head;
    const struct io_uring_cqe result = ((struct io_uring_cqe *)ring->results)[head & *ring->cq_mask];
    __atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
    if (tag) *tag = result.user_data;
    return result.res;
}

int ring_do(struct ring *ring, int fd, unsigned op, const struct kvcpu_move *move) {
    ring_put(ring, fd, op, move, 0);
    ring_submit(ring, 1);
    return ring_wait(ring, NULL);
}
