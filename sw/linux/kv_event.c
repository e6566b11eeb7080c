// SPDX-License-Identifier: GPL-2.0
/* KV-CPU: completions and misses, from the device's queues to the files that are open. */

#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "kv.h"

/* One record for every file; a file that does not read loses its newest, and learns how many. */
void kv_deliver(struct kv_dev *kv, const struct kvcpu_event *event)
{
	struct kv_file *f;
	unsigned long flags;

	spin_lock_irqsave(&kv->files_lock, flags);
	list_for_each_entry(f, &kv->files, node) {
		spin_lock(&f->ring_lock);
		if (f->head - f->tail == KV_RING) {
			f->lost++;
		} else {
			f->ring[f->head % KV_RING] = *event;
			f->ring[f->head % KV_RING].lost = f->lost;
			f->lost = 0;
			f->head++;
		}
		spin_unlock(&f->ring_lock);
		wake_up_interruptible(&f->wait);
	}
	spin_unlock_irqrestore(&kv->files_lock, flags);
}

void kv_wake_files(struct kv_dev *kv)
{
	struct kv_file *f;
	unsigned long flags;

	spin_lock_irqsave(&kv->files_lock, flags);
	list_for_each_entry(f, &kv->files, node)
		wake_up_interruptible(&f->wait);
	spin_unlock_irqrestore(&kv->files_lock, flags);
}

static void kv_record(struct kv_dev *kv, struct kvcpu_event *event, u64 kv_addr)
{
	event->time_ns = ktime_get_ns();
	event->step = READ_ONCE(kv->step);
	event->token = lower_32_bits(kv_addr);
	event->head = kv_addr >> 32;
	event->layer = kv_addr >> 40;
	event->request = kv_addr >> 48;
	kv_deliver(kv, event);
	if (event->kind == KVCPU_EVENT_COMPLETION)
		kv_moves_completed(kv, kv_addr, event);
}

/* Only the interrupt thread pops: a head is there until it does. */
void kv_drain_queues(struct kv_dev *kv)
{
	u64 info;

	while ((info = kv_read(kv, KV_COMPLETION_INFO)) & KV_COMPLETION_INFO_VALID && !kv_gone(kv)) {
		struct kvcpu_event event = {
			.kind = KVCPU_EVENT_COMPLETION,
			.status = FIELD_GET(KV_COMPLETION_INFO_STATUS, info),
			.from_tier = FIELD_GET(KV_COMPLETION_INFO_FROM, info),
			.to_tier = FIELD_GET(KV_COMPLETION_INFO_TO, info),
		};

		kv_record(kv, &event, kv_read(kv, KV_COMPLETION_ADDR));
	}
	while (kv_read(kv, KV_MISS_INFO) & KV_MISS_INFO_VALID && !kv_gone(kv)) {
		struct kvcpu_event event = { .kind = KVCPU_EVENT_MISS };

		kv_record(kv, &event, kv_read(kv, KV_MISS_ADDR));
	}
}

static bool kv_take(struct kv_file *f, struct kvcpu_event *event)
{
	bool any;

	spin_lock_irq(&f->ring_lock);
	any = f->head != f->tail;
	if (any)
		*event = f->ring[f->tail++ % KV_RING];
	spin_unlock_irq(&f->ring_lock);
	return any;
}

static bool kv_readable(struct kv_file *f)
{
	return READ_ONCE(f->head) != READ_ONCE(f->tail) || kv_gone(f->kv);
}

ssize_t kv_file_read(struct file *file, char __user *to, size_t count, loff_t *position)
{
	struct kv_file *f = file->private_data;
	struct kvcpu_event event;
	size_t done = 0;
	int err;

	if (count < sizeof(event))
		return -EINVAL;
	while (done + sizeof(event) <= count) {
		if (kv_take(f, &event)) {
			if (copy_to_user(to + done, &event, sizeof(event)))
				return done ?: -EFAULT;
			done += sizeof(event);
			continue;
		}
		if (done)
			break;
		if (kv_gone(f->kv))
			return -ENODEV;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(f->wait, kv_readable(f));
		if (err)
			return err;
	}
	return done;
}

__poll_t kv_file_poll(struct file *file, struct poll_table_struct *table)
{
	struct kv_file *f = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &f->wait, table);
	if (READ_ONCE(f->head) != READ_ONCE(f->tail))
		events |= EPOLLIN | EPOLLRDNORM;
	if (kv_gone(f->kv))
		events |= EPOLLERR | EPOLLHUP;
	return events;
}
