/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * User interface of the KV-CPU device node /dev/kvcpu0.
 * Generated from sw/uapi/description.py by `make regs`: do not edit.
 */
#ifndef _UAPI_LINUX_KVCPU_H
#define _UAPI_LINUX_KVCPU_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KVCPU_IOC_MAGIC 'K'

/* Argument of STEP_ADVANCE. */
struct kvcpu_step {
	__u64 step; /* decode step, at most 2^32 - 1 */
};

/* Argument of the four range calls. */
struct kvcpu_range {
	__u64 va; /* first byte of the range */
	__u64 len; /* bytes, at least 1 */
	__u64 target_step; /* PREFETCH: the step at which it is needed; at most 2^32 - 1 */
};

/* Argument of SET_WEIGHTS. */
struct kvcpu_weights {
	__u32 w_r; /* weight of recency, at most 255 */
	__u32 w_f; /* weight of frequency, at most 255 */
	__u32 w_s; /* weight of the distance in steps, at most 255 */
	__u32 w_d; /* weight of a shared prefix, at most 255 */
	__u32 evict_thresh; /* evict below this score; at most prefetch_thresh */
	__u32 prefetch_thresh; /* prefetch above this score; at most 65,535 */
};

/* Result of GET_TELEMETRY. Counts are of accepted calls on this open file. */
struct kvcpu_telemetry {
	__u64 current_step; /* the device's step */
	__u64 step_count; /* STEP_ADVANCE */
	__u64 hot_count; /* MARK_HOT */
	__u64 evict_count; /* EVICT */
	__u64 prefetch_count; /* PREFETCH */
	__u64 share_count; /* SHARE_PREFIX */
	__u64 last_va; /* of the last accepted range call */
	__u64 last_len; /* of the same */
	__u64 last_target_step; /* of the same */
	__u32 w_r; /* weight of recency, at most 255 */
	__u32 w_f; /* weight of frequency, at most 255 */
	__u32 w_s; /* weight of the distance in steps, at most 255 */
	__u32 w_d; /* weight of a shared prefix, at most 255 */
	__u32 evict_thresh; /* evict below this score; at most prefetch_thresh */
	__u32 prefetch_thresh; /* prefetch above this score; at most 65,535 */
};

/* One record of read(2): a move that has ended, or a miss. poll(2) says whether there is one. */
struct kvcpu_event {
	__u64 time_ns; /* device time at which the node has seen it */
	__u32 step; /* decode step at that time */
	__u32 lost; /* records lost right before this one: the file's queue was full */
	__u32 token; /* of the block: its first token; of a miss: the token */
	__u16 request; /* of the block */
	__u8 layer; /* of the block */
	__u8 head; /* of the block */
	__u16 kind; /* KVCPU_EVENT_... */
	__u16 status; /* of a completion: KVCPU_COMPLETION_..., else 0 */
	__u8 from_tier; /* of a completion: where the block was, else 0 */
	__u8 to_tier; /* of a completion: where it was to go, else 0 */
	__u16 reserved; /* 0 */
};

/* Argument of BIND: each BLOCK_BYTES of the range become one block, the first and those after it. */
struct kvcpu_bind {
	__u64 va; /* first byte of the range */
	__u64 len; /* bytes, at least 1 */
	__u32 token; /* of the block: its first token, or any token of it */
	__u16 request; /* of the block; 0: a shared prefix */
	__u8 layer; /* of the block */
	__u8 head; /* of the block */
};

/* Argument of UNBIND. */
struct kvcpu_unbind {
	__u64 va; /* first byte of a bound range */
};

/* Argument of REMOVE. */
struct kvcpu_block {
	__u32 token; /* of the block: its first token, or any token of it */
	__u16 request; /* of the block; 0: a shared prefix */
	__u8 layer; /* of the block */
	__u8 head; /* of the block */
};

/* Argument and result of INSERT. */
struct kvcpu_insert {
	__u32 token; /* of the block: its first token, or any token of it */
	__u16 request; /* of the block; 0: a shared prefix */
	__u8 layer; /* of the block */
	__u8 head; /* of the block */
	__u32 token_end; /* last valid token of the block, inclusive */
	__u8 tier; /* 0 to 3 */
	__u8 flags; /* KVCPU_INSERT_... */
	__u16 reserved; /* 0 */
	__u64 phys_addr; /* result: byte address inside the tier */
	__u32 index; /* result: where the entry is now */
	__u32 reserved2; /* 0 */
};

/* Argument and result of LOOKUP: of this very token. */
struct kvcpu_lookup {
	__u32 token; /* of the block: its first token, or any token of it */
	__u16 request; /* of the block; 0: a shared prefix */
	__u8 layer; /* of the block */
	__u8 head; /* of the block */
	__u32 flags; /* KVCPU_LOOKUP_... */
	__u32 tier; /* result */
	__u64 phys_addr; /* result: byte address inside the tier */
	__u32 index; /* result: where the entry is now */
	__u32 reserved; /* 0 */
};

/* Argument and result of FREE_REQUEST. */
struct kvcpu_free {
	__u32 request; /* 1 to 65,535 */
	__u32 removed; /* result: blocks that are gone */
	__u32 stayed; /* result: blocks that are referenced, and stay */
	__u32 reserved; /* 0 */
};

/* Argument of MIGRATE; how the move ends is a record of read(2). */
struct kvcpu_migrate {
	__u32 token; /* of the block: its first token, or any token of it */
	__u16 request; /* of the block; 0: a shared prefix */
	__u8 layer; /* of the block */
	__u8 head; /* of the block */
	__u32 tier; /* 0 to 3 */
	__u32 reserved; /* 0 */
};

/* Command of IORING_OP_URING_CMD, in its entry's 16 bytes; its result: KVCPU_COMPLETION_... or -errno. */
struct kvcpu_move {
	__u32 token; /* of the block: its first token, or any token of it */
	__u16 request; /* of the block; 0: a shared prefix */
	__u8 layer; /* of the block */
	__u8 head; /* of the block */
	__u32 argument; /* URING_MIGRATE: tier; URING_PREFETCH: step; else 0 */
	__u32 reserved; /* 0 */
};

#define KVCPU_EVENT_COMPLETION 1 /* a move has ended */
#define KVCPU_EVENT_MISS 2 /* a lookup found no block */
#define KVCPU_COMPLETION_OK 0 /* the block is in to_tier */
#define KVCPU_COMPLETION_CANCELLED 1 /* a check at its start or end failed: it was removed, referenced or changed meanwhile */
#define KVCPU_COMPLETION_NO_SLOT 2 /* no free slot in to_tier */
#define KVCPU_COMPLETION_VOID 3 /* the block was written while it moved */
#define KVCPU_COMPLETION_ERROR 4 /* every try met errors on AXI */
#define KVCPU_INSERT_PREFIX 1 /* the block belongs to a shared prefix */
#define KVCPU_INSERT_HOT 2 /* the block is HOT from the start */
#define KVCPU_LOOKUP_TOUCH 1 /* as an access; without it nothing changes */
#define KVCPU_URING_MIGRATE 1 /* cmd_op: move the block to a tier */
#define KVCPU_URING_EVICT 2 /* cmd_op: evict the block at once */
#define KVCPU_URING_PREFETCH 3 /* cmd_op: the block is needed at a step */
#define KVCPU_URING_CANCEL 4 /* cmd_op: end this file's commands for the block with ECANCELED; ENOENT: there is none */
#define KVCPU_MAP_HINTS 1099511627776 /* offset of mmap: addresses without memory (PROT_NONE), to bind and for madvise */

/* set the decode step and start a scan */
#define KVCPU_IOC_STEP_ADVANCE _IOW(KVCPU_IOC_MAGIC, 0x1, struct kvcpu_step)
/* keep the range's blocks */
#define KVCPU_IOC_MARK_HOT _IOW(KVCPU_IOC_MAGIC, 0x2, struct kvcpu_range)
/* evict the range's blocks at once */
#define KVCPU_IOC_EVICT _IOW(KVCPU_IOC_MAGIC, 0x3, struct kvcpu_range)
/* the range's blocks are needed at target_step */
#define KVCPU_IOC_PREFETCH _IOW(KVCPU_IOC_MAGIC, 0x4, struct kvcpu_range)
/* one more reference to the range's blocks, a shared prefix */
#define KVCPU_IOC_SHARE_PREFIX _IOW(KVCPU_IOC_MAGIC, 0x5, struct kvcpu_range)
/* weights and thresholds of the score */
#define KVCPU_IOC_SET_WEIGHTS _IOW(KVCPU_IOC_MAGIC, 0x6, struct kvcpu_weights)
/* counts, current step, weights and thresholds */
#define KVCPU_IOC_GET_TELEMETRY _IOR(KVCPU_IOC_MAGIC, 0x7, struct kvcpu_telemetry)
/* map a user range to blocks */
#define KVCPU_IOC_BIND _IOW(KVCPU_IOC_MAGIC, 0x10, struct kvcpu_bind)
/* forget the range that begins at va */
#define KVCPU_IOC_UNBIND _IOW(KVCPU_IOC_MAGIC, 0x11, struct kvcpu_unbind)
/* take HOT and EVICTABLE from the range's blocks */
#define KVCPU_IOC_COOL _IOW(KVCPU_IOC_MAGIC, 0x12, struct kvcpu_range)
/* give back one reference that this file has on the range's blocks */
#define KVCPU_IOC_RELEASE _IOW(KVCPU_IOC_MAGIC, 0x13, struct kvcpu_range)
/* a new block: EEXIST, ENOMEM (no slot in the tier), ENOSPC */
#define KVCPU_IOC_INSERT _IOWR(KVCPU_IOC_MAGIC, 0x14, struct kvcpu_insert)
/* where a token is: ENOENT */
#define KVCPU_IOC_LOOKUP _IOWR(KVCPU_IOC_MAGIC, 0x15, struct kvcpu_lookup)
/* remove a block: ENOENT, EBUSY (referenced) */
#define KVCPU_IOC_REMOVE _IOW(KVCPU_IOC_MAGIC, 0x16, struct kvcpu_block)
/* remove all blocks of a request that are not referenced */
#define KVCPU_IOC_FREE_REQUEST _IOWR(KVCPU_IOC_MAGIC, 0x17, struct kvcpu_free)
/* queue a move: ENOENT, EBUSY (referenced), EAGAIN */
#define KVCPU_IOC_MIGRATE _IOW(KVCPU_IOC_MAGIC, 0x18, struct kvcpu_migrate)

#endif
