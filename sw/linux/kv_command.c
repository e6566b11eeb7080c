// SPDX-License-Identifier: GPL-2.0
/* KV-CPU: range and directory commands. They share one queue of the device and run in the order of their launches. */

#include "kv.h"

static const struct {
	u32 addr;
	u32 len;
	u32 step;
} kv_ranges[] = {
	[KV_RANGE_HOT] = { KV_BOOST_ADDR, KV_BOOST_LEN },
	[KV_RANGE_EVICT] = { KV_IMEVICT_ADDR, KV_IMEVICT_LEN },
	[KV_RANGE_COOL] = { KV_COOL_ADDR, KV_COOL_LEN },
	[KV_RANGE_PREFETCH] = { KV_PREFETCH_ADDR, KV_PREFETCH_LEN, KV_PREFETCH_STEP },
	[KV_RANGE_SHARE] = { KV_SHARE_ADDR, KV_SHARE_LEN },
	[KV_RANGE_RELEASE] = { KV_RELEASE_ADDR, KV_RELEASE_LEN },
};

static unsigned int kv_pending(struct kv_dev *kv)
{
	kv->queued = FIELD_GET(KV_STATUS_COMMANDS, kv_read(kv, KV_STATUS));
	return kv->queued;
}

/*
 * A device whose reset pin was used has lost its interrupt enable with all the rest; it is brought back, empty, and
 * this returns ECANCELED.
 */
int kv_check_reset(struct kv_dev *kv)
{
	int err;

	lockdep_assert_held(&kv->lock);
	if (kv_read(kv, KV_IRQ_ENABLE) == KV_IRQ_ENABLE_EVENTS || kv_gone(kv))
		return kv_alive(kv);
	dev_err(&kv->dev, "the device was reset; its configuration is lost\n");
	kv_forget_shares(kv);
	kv_moves_end(kv, -ECANCELED);
	err = kv_start(kv);
	kv->queued = 0;
	return err ?: -ECANCELED;
}

/* The wait ended without what was waited for. */
static int kv_overdue(struct kv_dev *kv)
{
	int err = kv_check_reset(kv);

	if (err)
		return err;
	dev_err(&kv->dev, "a command did not end within %u ms\n", kv_timeout_ms);
	return -ETIMEDOUT;
}

static bool kv_stirred(struct kv_dev *kv, unsigned int done, unsigned int resets)
{
	return READ_ONCE(kv->commands_done) != done || READ_ONCE(kv->resets) != resets || kv_gone(kv);
}

/* Wait for the end of a command, a reset or the loss of the device; false: none came within the limit. */
static bool kv_wait(struct kv_dev *kv, unsigned int done, unsigned int resets)
{
	return wait_event_timeout(kv->wait, kv_stirred(kv, done, resets), kv_limit());
}

/*
 * Wait until at most @most commands wait or run. Not interruptible: a command takes microseconds, and the wait has a
 * limit.
 */
static int kv_wait_commands(struct kv_dev *kv, unsigned int most)
{
	unsigned int resets = READ_ONCE(kv->resets), done;

	lockdep_assert_held(&kv->lock);
	while (kv->queued > most && !kv_gone(kv)) {
		done = READ_ONCE(kv->commands_done);
		if (kv_pending(kv) <= most)
			break;
		if (!kv_wait(kv, done, resets) &&
		    (kv_pending(kv) > most || kv_read(kv, KV_IRQ_ENABLE) != KV_IRQ_ENABLE_EVENTS))
			return kv_overdue(kv);
		if (READ_ONCE(kv->resets) != resets)
			return -ECANCELED;
	}
	return kv_alive(kv);
}

int kv_drain(struct kv_dev *kv)
{
	return kv_wait_commands(kv, 0);
}

/* Launch a range command; it runs by itself. @tokens is within what the device takes. */
int kv_range(struct kv_dev *kv, enum kv_range what, u64 first, u64 tokens, u32 step)
{
	int err = kv_wait_commands(kv, KV_COMMAND_QUEUE - 1);

	if (err)
		return err;
	kv_write(kv, kv_ranges[what].addr, first);
	kv_write(kv, kv_ranges[what].len, tokens);
	if (kv_ranges[what].step)
		kv_write(kv, kv_ranges[what].step, step);
	kv_flush(kv);
	kv->queued++;
	return kv_alive(kv);
}

/* Run a directory command to its end. */
int kv_directory(struct kv_dev *kv, unsigned int command, u64 kv_addr, u64 arg, struct kv_result *result)
{
	unsigned int resets = READ_ONCE(kv->resets), done;
	u64 status, freed;
	int err;

	err = kv_wait_commands(kv, KV_COMMAND_QUEUE - 1);
	if (err)
		return err;
	kv_write(kv, KV_DIR_ADDR, kv_addr);
	kv_write(kv, KV_DIR_ARG, arg);
	kv_write(kv, KV_DIR_COMMAND, command);
	kv->queued++;
	for (;;) {
		done = READ_ONCE(kv->commands_done);
		status = kv_read(kv, KV_DIR_STATUS);
		if (kv_gone(kv))
			return -ENODEV;
		if (!(status & KV_DIR_STATUS_BUSY))
			break;
		if (READ_ONCE(kv->resets) != resets)
			return -ECANCELED;
		if (!kv_wait(kv, done, resets))
			return kv_overdue(kv);
	}
	if (READ_ONCE(kv->resets) != resets)
		return -ECANCELED;
	if (!status) { /* OK, or a device that was reset after the launch */
		err = kv_check_reset(kv);
		if (err)
			return err;
	}
	kv->queued = 0; /* the queue runs in order, and this was the last launch */
	freed = kv_read(kv, KV_DIR_FREED);
	*result = (struct kv_result) {
		.status = FIELD_GET(KV_DIR_STATUS_STATUS, status),
		.tier = FIELD_GET(KV_DIR_STATUS_TIER, status),
		.index = FIELD_GET(KV_DIR_STATUS_INDEX, status),
		.phys_addr = kv_read(kv, KV_DIR_PHYS_ADDR),
		.removed = FIELD_GET(KV_DIR_FREED_REMOVED, freed),
		.stayed = FIELD_GET(KV_DIR_FREED_STAYED, freed),
	};
	return kv_alive(kv);
}

int kv_errno(unsigned int status)
{
	static const int errors[] = {
		[KV_RESULT_OK] = 0,
		[KV_RESULT_MISS] = -ENOENT,
		[KV_RESULT_EXISTS] = -EEXIST,
		[KV_RESULT_FULL] = -ENOSPC,
		[KV_RESULT_NO_SLOT] = -ENOMEM,
		[KV_RESULT_REFERENCED] = -EBUSY,
		[KV_RESULT_BAD_ARG] = -EINVAL,
		[KV_RESULT_BUSY] = -EAGAIN,
	};

	return errors[status & 7];
}
