// SPDX-License-Identifier: GPL-2.0
/* KV-CPU: the directory and the queues, for people. */

#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "kv.h"

static struct dentry *kv_root;

/* Reading word 0 of an entry latches all four. */
static void kv_show_entry(struct seq_file *s, struct kv_dev *kv, u32 index)
{
	u32 at = index * KV_ENTRY_STRIDE;
	u64 w[4];

	w[0] = kv->ops->read(kv, 2, at);
	w[3] = kv->ops->read(kv, 2, at + 24);
	if (w[3] == KV_ALL_ONES)
		kv_flush(kv); /* notices that the device is lost */
	if (!FIELD_GET(KV_ENTRY_WORD3_VALID, w[3]) || kv_gone(kv))
		return;
	w[1] = kv->ops->read(kv, 2, at + 8);
	w[2] = kv->ops->read(kv, 2, at + 16);
	seq_printf(s, "%u: %llu:%llu:%llu:%llu-%llu tier %llu priority %llu refs %llu%s%s%s%s%s\n", index,
		   FIELD_GET(KV_ENTRY_WORD0_REQUEST_ID, w[0]), FIELD_GET(KV_ENTRY_WORD0_LAYER, w[0]),
		   FIELD_GET(KV_ENTRY_WORD0_HEAD, w[0]), FIELD_GET(KV_ENTRY_WORD0_TOKEN_START, w[0]),
		   FIELD_GET(KV_ENTRY_WORD1_TOKEN_END, w[1]), FIELD_GET(KV_ENTRY_WORD1_TIER, w[1]),
		   FIELD_GET(KV_ENTRY_WORD2_PRIORITY, w[2]), FIELD_GET(KV_ENTRY_WORD3_REF_COUNT, w[3]),
		   FIELD_GET(KV_ENTRY_WORD3_PREFIX, w[3]) ? " prefix" : "",
		   FIELD_GET(KV_ENTRY_WORD3_DIRTY, w[3]) ? " dirty" : "",
		   FIELD_GET(KV_ENTRY_WORD3_HOT, w[3]) ? " hot" : "",
		   FIELD_GET(KV_ENTRY_WORD3_EVICTABLE, w[3]) ? " evictable" : "",
		   FIELD_GET(KV_ENTRY_WORD3_HINT, w[3]) ? " hint" : "");
}

static int entries_show(struct seq_file *s, void *unused)
{
	struct kv_dev *kv = s->private;
	u32 index;
	int err = mutex_lock_interruptible(&kv->lock);

	if (err)
		return err;
	for (index = 0; index < kv->entries && !kv_gone(kv); index++)
		kv_show_entry(s, kv, index);
	mutex_unlock(&kv->lock);
	return kv_alive(kv);
}
DEFINE_SHOW_ATTRIBUTE(entries);

static int queues_show(struct seq_file *s, void *unused)
{
	struct kv_dev *kv = s->private;
	u64 status = kv_read(kv, KV_STATUS);

	if (kv_alive(kv))
		return -ENODEV;
	seq_printf(s, "commands %llu\nevict %llu\nprefetch %llu\nmisses %llu\ncompletions %llu\n",
		   FIELD_GET(KV_STATUS_COMMANDS, status), FIELD_GET(KV_STATUS_EVICT_LEVEL, status),
		   FIELD_GET(KV_STATUS_PREFETCH_LEVEL, status), FIELD_GET(KV_STATUS_MISS_LEVEL, status),
		   FIELD_GET(KV_STATUS_COMPLETION_LEVEL, status));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(queues);

/* From STEP_ADVANCE to the interrupt at the end of its scan, as Linux sees it. */
static int times_show(struct seq_file *s, void *unused)
{
	struct kv_dev *kv = s->private;

	seq_printf(s, "step %llu\ninterrupt %llu\n", READ_ONCE(kv->step_ns), READ_ONCE(kv->interrupt_ns));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(times);

void kv_debugfs_init(void)
{
	kv_root = debugfs_create_dir(KV_NAME, NULL);
}

void kv_debugfs_exit(void)
{
	debugfs_remove(kv_root);
}

void kv_debugfs_add(struct kv_dev *kv)
{
	kv->debugfs = debugfs_create_dir(dev_name(&kv->dev), kv_root);
	debugfs_create_file("entries", 0400, kv->debugfs, kv, &entries_fops);
	debugfs_create_file("queues", 0400, kv->debugfs, kv, &queues_fops);
	debugfs_create_file("times", 0400, kv->debugfs, kv, &times_fops);
}

void kv_debugfs_remove(struct kv_dev *kv)
{
	debugfs_remove(kv->debugfs);
}
