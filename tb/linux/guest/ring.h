/* A ring of io_uring by its system calls alone: the guest has no library for it. */
#ifndef RING_H
#define RING_H

#include <stdint.h>

#include <linux/kvcpu.h>

struct ring {
    int fd;
    unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
    void *entries, *results;
};

void ring_open(struct ring *ring, unsigned entries);
/* Closes it. Its memory stays mapped until the process ends. */
void ring_close(struct ring *ring);
/* Put a command for the driver into the ring; ring_submit hands over all that were put. */
void ring_put(struct ring *ring, int fd, unsigned op, const struct kvcpu_move *move, uint64_t tag);
void ring_submit(struct ring *ring, unsigned count);
/* Wait for the next result; tag says whose it is. */
int ring_wait(struct ring *ring, uint64_t *tag);
/* Whether there is one already. */
int ring_ready(const struct ring *ring);
/* One command from its submission to its result. */
int ring_do(struct ring *ring, int fd, unsigned op, const struct kvcpu_move *move);

#endif
