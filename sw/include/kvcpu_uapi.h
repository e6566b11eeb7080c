/* The published kernel interface of the device node /dev/kvcpu0.
 * Generated from sw/uapi/description.py by `make regs`: do not edit. C11 and C++17. */
#ifndef KVCPU_UAPI_H
#define KVCPU_UAPI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define KVCPU_DEVICE "/dev/kvcpu0"

/* Argument of STEP_ADVANCE. */
struct kvcpu_step {
    uint64_t step; /* decode step, at most 2^32 - 1 */
};
static_assert(sizeof(struct kvcpu_step) == 8, "kvcpu_step");
static_assert(offsetof(struct kvcpu_step, step) == 0, "kvcpu_step.step");

/* Argument of the four range calls. */
struct kvcpu_range {
    uint64_t va;          /* first byte of the range */
    uint64_t len;         /* bytes, at least 1 */
    uint64_t target_step; /* PREFETCH: the step at which it is needed; at most 2^32 - 1 */
};
static_assert(sizeof(struct kvcpu_range) == 24, "kvcpu_range");
static_assert(offsetof(struct kvcpu_range, va) == 0, "kvcpu_range.va");
static_assert(offsetof(struct kvcpu_range, len) == 8, "kvcpu_range.len");
static_assert(offsetof(struct kvcpu_range, target_step) == 16, "kvcpu_range.target_step");

/* Argument of SET_WEIGHTS. */
struct kvcpu_weights {
    uint32_t w_r;             /* weight of recency, at most 255 */
    uint32_t w_f;             /* weight of frequency, at most 255 */
    uint32_t w_s;             /* weight of the distance in steps, at most 255 */
    uint32_t w_d;             /* weight of a shared prefix, at most 255 */
    uint32_t evict_thresh;    /* evict below this score; at most prefetch_thresh */
    uint32_t prefetch_thresh; /* prefetch above this score; at most 65,535 */
};
static_assert(sizeof(struct kvcpu_weights) == 24, "kvcpu_weights");
static_assert(offsetof(struct kvcpu_weights, w_r) == 0, "kvcpu_weights.w_r");
static_assert(offsetof(struct kvcpu_weights, w_f) == 4, "kvcpu_weights.w_f");
static_assert(offsetof(struct kvcpu_weights, w_s) == 8, "kvcpu_weights.w_s");
static_assert(offsetof(struct kvcpu_weights, w_d) == 12, "kvcpu_weights.w_d");
static_assert(offsetof(struct kvcpu_weights, evict_thresh) == 16, "kvcpu_weights.evict_thresh");
static_assert(offsetof(struct kvcpu_weights, prefetch_thresh) == 20, "kvcpu_weights.prefetch_thresh");

/* Result of GET_TELEMETRY. Counts are of accepted calls on this open file. */
struct kvcpu_telemetry {
    uint64_t current_step;     /* the device's step */
    uint64_t step_count;       /* STEP_ADVANCE */
    uint64_t hot_count;        /* MARK_HOT */
    uint64_t evict_count;      /* EVICT */
    uint64_t prefetch_count;   /* PREFETCH */
    uint64_t share_count;      /* SHARE_PREFIX */
    uint64_t last_va;          /* of the last accepted range call */
    uint64_t last_len;         /* of the same */
    uint64_t last_target_step; /* of the same */
    uint32_t w_r;              /* weight of recency, at most 255 */
    uint32_t w_f;              /* weight of frequency, at most 255 */
    uint32_t w_s;              /* weight of the distance in steps, at most 255 */
    uint32_t w_d;              /* weight of a shared prefix, at most 255 */
    uint32_t evict_thresh;     /* evict below this score; at most prefetch_thresh */
    uint32_t prefetch_thresh;  /* prefetch above this score; at most 65,535 */
};
static_assert(sizeof(struct kvcpu_telemetry) == 96, "kvcpu_telemetry");
static_assert(offsetof(struct kvcpu_telemetry, current_step) == 0, "kvcpu_telemetry.current_step");
static_assert(offsetof(struct kvcpu_telemetry, step_count) == 8, "kvcpu_telemetry.step_count");
static_assert(offsetof(struct kvcpu_telemetry, hot_count) == 16, "kvcpu_telemetry.hot_count");
static_assert(offsetof(struct kvcpu_telemetry, evict_count) == 24, "kvcpu_telemetry.evict_count");
static_assert(offsetof(struct kvcpu_telemetry, prefetch_count) == 32, "kvcpu_telemetry.prefetch_count");
static_assert(offsetof(struct kvcpu_telemetry, share_count) == 40, "kvcpu_telemetry.share_count");
static_assert(offsetof(struct kvcpu_telemetry, last_va) == 48, "kvcpu_telemetry.last_va");
static_assert(offsetof(struct kvcpu_telemetry, last_len) == 56, "kvcpu_telemetry.last_len");
static_assert(offsetof(struct kvcpu_telemetry, last_target_step) == 64, "kvcpu_telemetry.last_target_step");
static_assert(offsetof(struct kvcpu_telemetry, w_r) == 72, "kvcpu_telemetry.w_r");
static_assert(offsetof(struct kvcpu_telemetry, w_f) == 76, "kvcpu_telemetry.w_f");
static_assert(offsetof(struct kvcpu_telemetry, w_s) == 80, "kvcpu_telemetry.w_s");
static_assert(offsetof(struct kvcpu_telemetry, w_d) == 84, "kvcpu_telemetry.w_d");
static_assert(offsetof(struct kvcpu_telemetry, evict_thresh) == 88, "kvcpu_telemetry.evict_thresh");
static_assert(offsetof(struct kvcpu_telemetry, prefetch_thresh) == 92, "kvcpu_telemetry.prefetch_thresh");

/* One record of read(2): a move that has ended, or a miss. poll(2) says whether there is one. */
struct kvcpu_event {
    uint64_t time_ns;  /* device time at which the node has seen it */
    uint32_t step;     /* decode step at that time */
    uint32_t lost;     /* records lost right before this one: the file's queue was full */
    uint32_t token;    /* of the block: its first token; of a miss: the token */
    uint16_t request;  /* of the block */
    uint8_t layer;     /* of the block */
    uint8_t head;      /* of the block */
    uint16_t kind;     /* KVCPU_EVENT_... */
    uint16_t status;   /* of a completion: KVCPU_COMPLETION_..., else 0 */
    uint8_t from_tier; /* of a completion: where the block was, else 0 */
    uint8_t to_tier;   /* of a completion: where it was to go, else 0 */
    uint16_t reserved; /* 0 */
};
static_assert(sizeof(struct kvcpu_event) == 32, "kvcpu_event");
static_assert(offsetof(struct kvcpu_event, time_ns) == 0, "kvcpu_event.time_ns");
static_assert(offsetof(struct kvcpu_event, step) == 8, "kvcpu_event.step");
static_assert(offsetof(struct kvcpu_event, lost) == 12, "kvcpu_event.lost");
static_assert(offsetof(struct kvcpu_event, token) == 16, "kvcpu_event.token");
static_assert(offsetof(struct kvcpu_event, request) == 20, "kvcpu_event.request");
static_assert(offsetof(struct kvcpu_event, layer) == 22, "kvcpu_event.layer");
static_assert(offsetof(struct kvcpu_event, head) == 23, "kvcpu_event.head");
static_assert(offsetof(struct kvcpu_event, kind) == 24, "kvcpu_event.kind");
static_assert(offsetof(struct kvcpu_event, status) == 26, "kvcpu_event.status");
static_assert(offsetof(struct kvcpu_event, from_tier) == 28, "kvcpu_event.from_tier");
static_assert(offsetof(struct kvcpu_event, to_tier) == 29, "kvcpu_event.to_tier");
static_assert(offsetof(struct kvcpu_event, reserved) == 30, "kvcpu_event.reserved");

/* a move has ended */
#define KVCPU_EVENT_COMPLETION 1u
/* a lookup found no block */
#define KVCPU_EVENT_MISS 2u
/* the block is in to_tier */
#define KVCPU_COMPLETION_OK 0u
/* a check at its start or end failed: it was removed, referenced or changed meanwhile */
#define KVCPU_COMPLETION_CANCELLED 1u
/* no free slot in to_tier */
#define KVCPU_COMPLETION_NO_SLOT 2u
/* the block was written while it moved */
#define KVCPU_COMPLETION_VOID 3u
/* every try met errors on AXI */
#define KVCPU_COMPLETION_ERROR 4u

/* set the decode step and start a scan; writes struct kvcpu_step */
#define KVCPU_IOC_STEP_ADVANCE 0x40084b01u

/* keep the range's blocks; writes struct kvcpu_range */
#define KVCPU_IOC_MARK_HOT 0x40184b02u

/* evict the range's blocks at once; writes struct kvcpu_range */
#define KVCPU_IOC_EVICT 0x40184b03u

/* the range's blocks are needed at target_step; writes struct kvcpu_range */
#define KVCPU_IOC_PREFETCH 0x40184b04u

/* one more reference to the range's blocks, a shared prefix; writes struct kvcpu_range */
#define KVCPU_IOC_SHARE_PREFIX 0x40184b05u

/* weights and thresholds of the score; writes struct kvcpu_weights */
#define KVCPU_IOC_SET_WEIGHTS 0x40184b06u

/* counts, current step, weights and thresholds; reads struct kvcpu_telemetry */
#define KVCPU_IOC_GET_TELEMETRY 0x80604b07u

#endif
