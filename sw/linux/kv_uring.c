// SPDX-License-Identifier: GPL-2.0
/*
 * KV-CPU: moves as commands of io_uring. A command names one block and ends when the device's completion for that block
 * arrives, with the completion's status as its result; or with an errno, when no completion will come.
 *
 * The commands of a device are in one list. A worker launches them in the order of their submission. A command is
 * queued, then held by the worker, then in flight; whoever ends it takes it from the list. A command that is held only
 * notes how it ended, and the worker takes it from the list.
 */

#include <linux/io_uring.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#include <linux/io_uring/cmd.h>
#endif

#include "kv.h"

struct kv_move {
	struct list_head node;
	struct io_uring_cmd *cmd;
	struct kv_file *file;
	fl_owner_t owner;	/* whose close ends it */
	u64 block;		/* KV address of its first token */
	u32 op;
	u32 argument;
	bool held;		/* by the worker */
	bool live;		/* a completion of the block may be its own */
	bool ended;
	int result;
};

static const void *kv_move_argument(const struct io_uring_cmd *cmd)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	return io_uring_sqe_cmd(cmd->sqe);
#else
	return cmd->cmd;
#endif
}

static int *kv_move_result(struct io_uring_cmd *cmd)
{
	BUILD_BUG_ON(sizeof(cmd->pdu) < sizeof(int));
	return (int *)cmd->pdu;
}

/* In the task that has submitted the command. */
static void kv_move_task(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	io_uring_cmd_done(cmd, *kv_move_result(cmd), 0, issue_flags);
}

static void kv_moves_finish(struct list_head *ended)
{
	struct kv_move *m, *next;

	list_for_each_entry_safe(m, next, ended, node) {
		struct io_uring_cmd *cmd = m->cmd;

		*kv_move_result(cmd) = m->result;
		kfree(m);
		io_uring_cmd_complete_in_task(cmd, kv_move_task);
	}
}

/* Who ends a command first decides its result. The caller has moves_lock. */
static void kv_move_end(struct kv_move *m, int result, struct list_head *ended)
{
	if (m->ended)
		return;
	m->ended = true;
	m->result = result;
	if (!m->held)
		list_move_tail(&m->node, ended);
}

typedef bool (*kv_match_fn)(const struct kv_move *m, const struct kv_move *like);

static bool kv_match_all(const struct kv_move *m, const struct kv_move *like)
{
	return true;
}

static bool kv_match_live(const struct kv_move *m, const struct kv_move *like)
{
	return m->live;
}

static bool kv_match_owner(const struct kv_move *m, const struct kv_move *like)
{
	return m->file == like->file && m->owner == like->owner;
}

static bool kv_match_block(const struct kv_move *m, const struct kv_move *like)
{
	return m->file == like->file && m->block == like->block;
}

/* End the commands that match; how many there were. */
static unsigned int kv_moves_end_if(struct kv_dev *kv, kv_match_fn match, const struct kv_move *like, int result)
{
	struct kv_move *m, *next;
	unsigned int count = 0;
	unsigned long flags;
	LIST_HEAD(ended);

	spin_lock_irqsave(&kv->moves_lock, flags);
	list_for_each_entry_safe(m, next, &kv->moves, node) {
		if (!m->ended && match(m, like)) {
			kv_move_end(m, result, &ended);
			count++;
		}
	}
	spin_unlock_irqrestore(&kv->moves_lock, flags);
	kv_moves_finish(&ended);
	return count;
}

/* The device was reset, is lost or goes. */
void kv_moves_end(struct kv_dev *kv, int result)
{
	kv_moves_end_if(kv, kv_match_all, NULL, result);
}

/* A process has closed a descriptor of the file: what it has in flight ends. */
int kv_file_flush(struct file *file, fl_owner_t owner)
{
	struct kv_move like = { .file = file->private_data, .owner = owner };

	kv_moves_end_if(like.file->kv, kv_match_owner, &like, -ECANCELED);
	return 0;
}

/*
 * A completion has come. That of an earlier move, which was on its way when a migration was launched, names another
 * target: had it brought the block to the same tier, the device would have refused the migration. (One that failed to
 * get there cannot be told from the migration's own.) An eviction and a prefetch end with the next completion of their
 * block.
 */
void kv_moves_completed(struct kv_dev *kv, u64 block, const struct kvcpu_event *event)
{
	struct kv_move *m, *next;
	unsigned long flags;
	LIST_HEAD(ended);

	spin_lock_irqsave(&kv->moves_lock, flags);
	list_for_each_entry_safe(m, next, &kv->moves, node) {
		if (!m->live || m->block != block)
			continue;
		if (m->op == KVCPU_URING_MIGRATE && event->to_tier != m->argument)
			continue;
		kv_move_end(m, event->status, &ended);
	}
	spin_unlock_irqrestore(&kv->moves_lock, flags);
	kv_moves_finish(&ended);
}

/* The device's queue of completions was full, and it does not say whose was dropped. */
void kv_moves_overflow(struct kv_dev *kv)
{
	u64 dropped = kv_read(kv, KV_COMPLETION_DROPPED_COUNT);

	if (dropped != kv->completions_dropped)
		kv_moves_end_if(kv, kv_match_live, NULL, -EOVERFLOW);
	kv->completions_dropped = dropped;
}

/* From here on a completion of the block may be the command's. */
static void kv_move_live(struct kv_dev *kv, struct kv_move *m)
{
	spin_lock_irq(&kv->moves_lock);
	m->live = true;
	spin_unlock_irq(&kv->moves_lock);
	queue_delayed_work(system_unbound_wq, &kv->watch, kv_limit());
}

static u64 kv_references(struct kv_dev *kv, u32 index)
{
	kv->ops->read(kv, 2, index * KV_ENTRY_STRIDE); /* latches the entry */
	return FIELD_GET(KV_ENTRY_WORD3_REF_COUNT, kv->ops->read(kv, 2, index * KV_ENTRY_STRIDE + 24));
}

/* A hint for one block. When the device's queue is full it drops the move, counts it, and no completion comes. */
static int kv_launch_hint(struct kv_dev *kv, struct kv_move *m, enum kv_range what, u32 counter)
{
	u64 dropped = kv_read(kv, counter);
	int err;

	err = kv_range(kv, what, m->block, kv->block_tokens, m->argument);
	if (!err)
		err = kv_drain(kv);
	if (!err && kv_read(kv, counter) != dropped)
		err = -EAGAIN;
	return err;
}

/* 0: a completion will come; 1: there is nothing to move. The caller has kv->lock. */
static int kv_launch_move(struct kv_dev *kv, struct kv_move *m)
{
	struct kv_result at;
	int err;

	err = kv_directory(kv, KV_CMD_LOOKUP, m->block, 0, &at);
	if (!err)
		err = kv_errno(at.status);
	if (err)
		return err;
	switch (m->op) {
	case KVCPU_URING_MIGRATE:
		kv_move_live(kv, m);
		err = kv_directory(kv, KV_CMD_MIGRATE, m->block, FIELD_PREP(KV_DIR_ARG_TIER, m->argument), &at);
		return err ?: kv_errno(at.status);
	case KVCPU_URING_EVICT:
		if (at.tier == KV_TIERS - 1)
			return -EINVAL;
		if (kv_references(kv, at.index))
			return -EBUSY;
		kv_move_live(kv, m);
		return kv_launch_hint(kv, m, KV_RANGE_EVICT, KV_EVICT_DROPPED_COUNT);
	default:
		if ((s32)(m->argument - READ_ONCE(kv->step)) < 0)
			return -EINVAL;
		if (at.tier <= kv_read(kv, KV_PROMOTE_TIER))
			return 1;
		kv_move_live(kv, m);
		return kv_launch_hint(kv, m, KV_RANGE_PREFETCH, KV_PREFETCH_DROPPED_COUNT);
	}
}

static struct kv_move *kv_next_move(struct kv_dev *kv)
{
	struct kv_move *m, *found = NULL;

	spin_lock_irq(&kv->moves_lock);
	list_for_each_entry(m, &kv->moves, node) {
		if (!m->live) {
			m->held = true;
			found = m;
			break;
		}
	}
	spin_unlock_irq(&kv->moves_lock);
	return found;
}

static void kv_launch_moves(struct work_struct *work)
{
	struct kv_dev *kv = container_of(work, struct kv_dev, launch);
	struct kv_move *m;
	LIST_HEAD(ended);
	int err;

	while ((m = kv_next_move(kv))) {
		mutex_lock(&kv->lock);
		err = kv_alive(kv);
		if (!err)
			err = READ_ONCE(m->ended) ? -ECANCELED : kv_launch_move(kv, m);
		mutex_unlock(&kv->lock);

		spin_lock_irq(&kv->moves_lock);
		m->held = false;
		if (err) {
			m->ended = true;
			m->result = err > 0 ? KVCPU_COMPLETION_OK : err;
		}
		if (m->ended)
			list_move_tail(&m->node, &ended);
		spin_unlock_irq(&kv->moves_lock);
		kv_moves_finish(&ended);
		INIT_LIST_HEAD(&ended);
	}
}

static int kv_submit(struct kv_file *f, struct io_uring_cmd *cmd, u64 block, u32 argument)
{
	struct kv_dev *kv = f->kv;
	struct kv_move *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	int err;

	if (!m)
		return -ENOMEM;
	m->cmd = cmd;
	m->file = f;
	m->owner = current->files;
	m->block = block;
	m->op = cmd->cmd_op;
	m->argument = argument;
	spin_lock_irq(&kv->moves_lock);
	err = kv_alive(kv); /* after this has failed, nothing enters the list */
	if (!err) {
		list_add_tail(&m->node, &kv->moves);
		queue_work(system_unbound_wq, &kv->launch);
	}
	spin_unlock_irq(&kv->moves_lock);
	if (!err)
		return -EIOCBQUEUED;
	kfree(m);
	return err;
}

int kv_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct kv_file *f = cmd->file->private_data;
	struct kv_move like = { .file = f };
	struct kvcpu_move arg;

	memcpy(&arg, kv_move_argument(cmd), sizeof(arg)); /* once: the ring is the user's memory */
	switch (cmd->cmd_op) {
	case KVCPU_URING_MIGRATE:
		if (arg.argument >= KV_TIERS)
			return -EINVAL;
		break;
	case KVCPU_URING_EVICT:
	case KVCPU_URING_CANCEL:
		if (arg.argument)
			return -EINVAL;
		break;
	case KVCPU_URING_PREFETCH:
		break;
	default:
		return -ENOTTY;
	}
	if (arg.reserved)
		return -EINVAL;
	like.block = kv_block_address(round_down(arg.token, f->kv->block_tokens), arg.request, arg.layer, arg.head);
	if (cmd->cmd_op == KVCPU_URING_CANCEL)
		return kv_moves_end_if(f->kv, kv_match_block, &like, -ECANCELED) ? 0 : -ENOENT;
	return kv_submit(f, cmd, like.block, arg.argument);
}

/*
 * While commands are in flight: nothing but this waits for the device, and so only this notices that it was reset or
 * is lost.
 */
static void kv_watch_moves(struct work_struct *work)
{
	struct kv_dev *kv = container_of(to_delayed_work(work), struct kv_dev, watch);
	struct kv_move *m;
	bool live = false;

	mutex_lock(&kv->lock);
	kv_check_reset(kv);
	mutex_unlock(&kv->lock);
	spin_lock_irq(&kv->moves_lock);
	list_for_each_entry(m, &kv->moves, node)
		live |= m->live;
	spin_unlock_irq(&kv->moves_lock);
	if (live)
		queue_delayed_work(system_unbound_wq, &kv->watch, kv_limit());
}

/* The driver goes. */
void kv_moves_stop(struct kv_dev *kv)
{
	kv_moves_end(kv, -ENODEV);
	cancel_work_sync(&kv->launch);
	cancel_delayed_work_sync(&kv->watch);
}

void kv_moves_init(struct kv_dev *kv)
{
	INIT_DELAYED_WORK(&kv->watch, kv_watch_moves);
	spin_lock_init(&kv->moves_lock);
	INIT_LIST_HEAD(&kv->moves);
	INIT_WORK(&kv->launch, kv_launch_moves);
}
