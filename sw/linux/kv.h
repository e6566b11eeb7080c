/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KV-CPU: a memory device for KV-cache blocks. What the parts of the driver share.
 *
 * Lock order, outermost first:
 *	kv_dev.present	(rwsem, read: every file operation that uses the device)
 *	kv_file.lock	(mutex: bindings, shares and counters of one open file)
 *	kv_dev.lock	(mutex: sequences of register accesses, the command queue)
 *	kv_dev.files_lock (spinlock: list of open files)
 *	kv_file.ring_lock (spinlock: records that wait for read)
 *	kv_dev.moves_lock (spinlock: commands of io_uring; with no other spinlock)
 * The interrupt thread takes the spinlocks only. madvise() comes with the address space's lock, which is outside all.
 */
#ifndef KV_H
#define KV_H

#include <linux/bitfield.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/kvcpu.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "kv_regs.h"

#define KV_NAME "kv_cpu"
#define KV_VENDOR 0x1de5
#define KV_DEVICE 0x0a10
#define KV_MAX_DEVICES 16
#define KV_BAR0_BYTES 0x4000
#define KV_TIERS 4
#define KV_COMMAND_QUEUE 16
#define KV_RING 256		/* records that wait for one file */
#define KV_MAX_BINDINGS 1024	/* of one file */
#define KV_ALL_ONES (~0ULL)

struct kv_dev;
struct kv_mock;

/* How registers are reached: a PCI function, or kv_mock.c. */
struct kv_ops {
	u64 (*read)(struct kv_dev *kv, unsigned int bar, u32 offset);
	void (*write)(struct kv_dev *kv, u32 offset, u64 value);
};

enum kv_flag {
	KV_LOST,	/* it answers all ones */
	KV_REMOVED,	/* the driver was unbound from it */
};

struct kv_dev {
	struct device dev;	/* the node's; its release frees this */
	struct cdev cdev;
	struct pci_dev *pdev;	/* NULL: a mock device */
	const struct kv_ops *ops;
	void __iomem *bar0;
	void __iomem *bar2;
	struct kv_mock *mock;
	struct dentry *debugfs;
	int irq;

	u32 entries;
	u32 block_tokens;
	unsigned int block_shift; /* log2 of block_tokens */
	unsigned long flags;	/* enum kv_flag */

	struct rw_semaphore present;
	struct mutex lock;
	unsigned int queued;	/* at most so many commands wait or run */
	unsigned int resets;	/* waiters notice that the device was reset */
	unsigned int commands_done;
	wait_queue_head_t wait;	/* commands, resets, loss */
	u32 step;

	spinlock_t files_lock;
	struct list_head files;
	unsigned long interrupts;
	u64 step_ns;		/* CLOCK_MONOTONIC of the last STEP_ADVANCE */
	u64 interrupt_ns;	/* and of the last interrupt, before its thread runs */

	spinlock_t moves_lock;
	struct list_head moves;		/* commands of io_uring that have not ended */
	struct work_struct launch;
	struct delayed_work watch;	/* while commands are in flight */
	u64 completions_dropped;	/* as the interrupt thread has seen it */
};

struct kv_binding {
	struct list_head node;	/* by address */
	u64 va;
	u64 len;
	u64 first;		/* KV address of the first block */
};

struct kv_file {
	struct kv_dev *kv;
	struct list_head node;	/* of kv_dev.files */

	struct mutex lock;
	struct list_head bindings;
	unsigned int binding_count;
	struct xarray shares;	/* references by block: KV address / block_tokens */
	struct kvcpu_telemetry counts;
	u64 hint_misses;

	spinlock_t ring_lock;
	wait_queue_head_t wait;
	struct kvcpu_event *ring;
	unsigned int head;
	unsigned int tail;
	u32 lost;
};

/* The launching register of each range command. */
enum kv_range {
	KV_RANGE_HOT,
	KV_RANGE_EVICT,
	KV_RANGE_COOL,
	KV_RANGE_PREFETCH,
	KV_RANGE_SHARE,
	KV_RANGE_RELEASE,
};

struct kv_result {
	unsigned int status;	/* KV_RESULT_... */
	u32 tier;
	u32 index;
	u64 phys_addr;
	u32 removed;
	u32 stayed;
};

/* kv_main.c */
extern unsigned int kv_timeout_ms;
struct kv_dev *kv_alloc(struct device *parent, const struct kv_ops *ops);
int kv_register(struct kv_dev *kv);
void kv_unregister(struct kv_dev *kv);

/* kv_hw.c */
u64 kv_read(struct kv_dev *kv, u32 offset);
void kv_write(struct kv_dev *kv, u32 offset, u64 value);
void kv_flush(struct kv_dev *kv);
unsigned long kv_limit(void);
int kv_identify(struct kv_dev *kv);
int kv_start(struct kv_dev *kv);
void kv_stop(struct kv_dev *kv);
int kv_reset(struct kv_dev *kv);
int kv_alive(struct kv_dev *kv);
irqreturn_t kv_interrupted(int irq, void *data);
irqreturn_t kv_thread(int irq, void *data);

/* kv_command.c; the caller has kv->lock */
int kv_range(struct kv_dev *kv, enum kv_range what, u64 first, u64 tokens, u32 step);
int kv_drain(struct kv_dev *kv);
int kv_check_reset(struct kv_dev *kv);
int kv_directory(struct kv_dev *kv, unsigned int command, u64 kv_addr, u64 arg, struct kv_result *result);
int kv_errno(unsigned int status);

/* kv_file.c, kv_ioctl.c */
extern const struct file_operations kv_fops;
long kv_ioctl(struct file *file, unsigned int request, unsigned long arg);
int kv_mmap(struct file *file, struct vm_area_struct *vma);

/* kv_bind.c; the caller has file->lock */
int kv_bind(struct kv_file *f, const struct kvcpu_bind *arg, u64 block_bytes);
int kv_unbind(struct kv_file *f, u64 va);
void kv_unbind_all(struct kv_file *f);
typedef int (*kv_run_fn)(struct kv_file *f, u64 first, u64 tokens, void *context);
int kv_resolve(struct kv_file *f, u64 va, u64 len, u64 block_bytes, kv_run_fn fn, void *context, u64 *misses);

/* kv_share.c; the caller has file->lock and kv->lock */
int kv_share(struct kv_file *f, u64 first, u64 tokens);
int kv_release(struct kv_file *f, u64 first, u64 tokens, u64 *misses);
void kv_release_all(struct kv_file *f);
void kv_forget_shares(struct kv_dev *kv);

/* kv_event.c */
void kv_deliver(struct kv_dev *kv, const struct kvcpu_event *event);
void kv_wake_files(struct kv_dev *kv);
void kv_drain_queues(struct kv_dev *kv);
ssize_t kv_file_read(struct file *file, char __user *to, size_t count, loff_t *position);
__poll_t kv_file_poll(struct file *file, struct poll_table_struct *table);

/* kv_uring.c */
struct io_uring_cmd;
int kv_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags);
int kv_file_flush(struct file *file, fl_owner_t owner);
void kv_moves_init(struct kv_dev *kv);
void kv_moves_stop(struct kv_dev *kv);
void kv_moves_end(struct kv_dev *kv, int result);
void kv_moves_completed(struct kv_dev *kv, u64 block, const struct kvcpu_event *event);
void kv_moves_overflow(struct kv_dev *kv);

/* kv_sysfs.c, kv_debugfs.c */
extern const struct attribute_group *kv_groups[];
void kv_debugfs_init(void);
void kv_debugfs_exit(void);
void kv_debugfs_add(struct kv_dev *kv);
void kv_debugfs_remove(struct kv_dev *kv);

/* kv_mock.c */
int kv_mock_create(void);
void kv_mock_destroy(void);

static inline u64 kv_block_address(u32 token, u16 request, u8 layer, u8 head)
{
	return (u64)request << 48 | (u64)layer << 40 | (u64)head << 32 | token;
}

static inline bool kv_gone(struct kv_dev *kv)
{
	return READ_ONCE(kv->flags); /* lost, removed, or both */
}

#endif
