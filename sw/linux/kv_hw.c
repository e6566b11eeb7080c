// SPDX-License-Identifier: GPL-2.0
/* KV-CPU: registers, what the device is, reset, interrupts. */

#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/log2.h>

#include "kv.h"

#define KV_POLL_US 10

static void kv_lose(struct kv_dev *kv)
{
	if (test_and_set_bit(KV_LOST, &kv->flags))
		return;
	dev_err(&kv->dev, "the device does not answer\n");
	wake_up_all(&kv->wait);
	kv_wake_files(kv);
	kv_moves_end(kv, -ENODEV);
}

static bool kv_is_lost(struct kv_dev *kv)
{
	return READ_ONCE(kv->flags) & BIT(KV_LOST);
}

/* All ones when the device is lost. A register may have that value; the ID never has. */
u64 kv_read(struct kv_dev *kv, u32 offset)
{
	u64 value;

	if (kv_is_lost(kv))
		return KV_ALL_ONES;
	value = kv->ops->read(kv, 0, offset);
	if (value == KV_ALL_ONES && kv->ops->read(kv, 0, KV_ID) != KV_ID_VALUE)
		kv_lose(kv);
	return value;
}

void kv_write(struct kv_dev *kv, u32 offset, u64 value)
{
	if (!kv_is_lost(kv))
		kv->ops->write(kv, offset, value);
}

/* Of every wait for the device, in jiffies. */
unsigned long kv_limit(void)
{
	return msecs_to_jiffies(kv_timeout_ms);
}

/* Writes are posted: once this read has come back, the device has all of them. */
void kv_flush(struct kv_dev *kv)
{
	kv_read(kv, KV_ID);
}

int kv_alive(struct kv_dev *kv)
{
	return kv_gone(kv) ? -ENODEV : 0;
}

/* Refuse what this driver does not know. */
int kv_identify(struct kv_dev *kv)
{
	u64 id = kv_read(kv, KV_ID), version = kv_read(kv, KV_VERSION), caps = kv_read(kv, KV_CAPS);

	kv->entries = FIELD_GET(KV_CAPS_ENTRIES, caps);
	kv->block_tokens = FIELD_GET(KV_CAPS_BLOCK_TOKENS, caps);
	if (id != KV_ID_VALUE || version != KV_VERSION_VALUE) {
		dev_err(kv->dev.parent, "unknown device: ID %#llx, VERSION %#llx\n", id, version);
		return -ENODEV;
	}
	if (!is_power_of_2(kv->entries) || kv->entries < 1024 || !is_power_of_2(kv->block_tokens)) {
		dev_err(kv->dev.parent, "unknown device: CAPS %#llx\n", caps);
		return -ENODEV;
	}
	kv->block_shift = fls(kv->block_tokens) - 1;
	return 0;
}

/* There is no interrupt for the end of a reset. */
static int kv_wait_initialised(struct kv_dev *kv)
{
	unsigned int waited = 0;

	while (!(kv_read(kv, KV_STATUS) & KV_STATUS_INITIALISED)) {
		if (waited >= kv_timeout_ms * 1000)
			return -ETIMEDOUT;
		usleep_range(KV_POLL_US, KV_POLL_US + 1);
		waited += KV_POLL_US;
	}
	return kv_alive(kv);
}

/* Bring an identified device into the state that the driver works with. */
int kv_start(struct kv_dev *kv)
{
	int err = kv_wait_initialised(kv);

	if (err)
		return err;
	kv_write(kv, KV_CMD_SPAN, FIELD_PREP(KV_CMD_SPAN_LAYERS, 1) | FIELD_PREP(KV_CMD_SPAN_HEADS, 1));
	kv_write(kv, KV_CTRL, kv_read(kv, KV_CTRL) | KV_CTRL_ENABLE);
	kv->step = kv_read(kv, KV_STEP_ADVANCE);
	kv->queued = KV_COMMAND_QUEUE;
	kv->completions_dropped = kv_read(kv, KV_COMPLETION_DROPPED_COUNT);
	kv_write(kv, KV_IRQ_ENABLE, KV_IRQ_ENABLE_EVENTS);
	kv_flush(kv);
	return kv_alive(kv);
}

void kv_stop(struct kv_dev *kv)
{
	kv_write(kv, KV_IRQ_ENABLE, 0);
	kv_write(kv, KV_CTRL, 0);
	kv_flush(kv);
}

/*
 * Soft reset: the directory and the queues become empty, the configuration registers stay. It does not wait for a
 * command: whoever waits for one gets ECANCELED.
 */
int kv_reset(struct kv_dev *kv)
{
	int err;

	WRITE_ONCE(kv->resets, kv->resets + 1);
	wake_up_all(&kv->wait);
	err = mutex_lock_interruptible(&kv->lock);
	if (err)
		return err;
	kv_write(kv, KV_CTRL, kv_read(kv, KV_CTRL) | KV_CTRL_SOFT_RESET);
	err = kv_wait_initialised(kv);
	kv->queued = 0;
	kv->step = 0;
	kv->completions_dropped = 0;
	kv_forget_shares(kv);
	kv_moves_end(kv, -ECANCELED);
	mutex_unlock(&kv->lock);
	return err;
}

irqreturn_t kv_interrupted(int irq, void *data)
{
	struct kv_dev *kv = data;

	WRITE_ONCE(kv->interrupt_ns, ktime_get_ns());
	return IRQ_WAKE_THREAD;
}

/*
 * MSI is an edge, so the line must have been low before this returns: read until nothing is left.
 */
irqreturn_t kv_thread(int irq, void *data)
{
	struct kv_dev *kv = data;
	irqreturn_t handled = IRQ_NONE;
	u64 events;

	kv->interrupts++;
	while ((events = kv_read(kv, KV_IRQ_STATUS)) && !kv_gone(kv)) {
		kv_write(kv, KV_IRQ_STATUS, events);
		handled = IRQ_HANDLED;
		if (events & KV_IRQ_STATUS_COMMAND_DONE) {
			WRITE_ONCE(kv->commands_done, kv->commands_done + 1);
			wake_up_all(&kv->wait);
		}
		if (events & (KV_IRQ_STATUS_COMPLETION | KV_IRQ_STATUS_MISS))
			kv_drain_queues(kv);
		if (events & KV_IRQ_STATUS_OVERFLOW)
			kv_moves_overflow(kv);
		if (events & KV_IRQ_STATUS_DMA_ERR)
			dev_warn_ratelimited(&kv->dev, "AXI error at KV address %#llx\n",
					     kv_read(kv, KV_DMA_ERROR_ADDR));
		if (events & KV_IRQ_STATUS_PARITY)
			dev_warn_ratelimited(&kv->dev, "bad parity: PARITY_INFO %#llx\n",
					     kv_read(kv, KV_PARITY_INFO));
	}
	return handled;
}
