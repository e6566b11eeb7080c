// SPDX-License-Identifier: GPL-2.0
/* KV-CPU: one open file of the node. */

#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "kv.h"

static int kv_open(struct inode *inode, struct file *file)
{
	struct kv_dev *kv = container_of(inode->i_cdev, struct kv_dev, cdev);
	struct kv_file *f;

	if (kv_gone(kv))
		return -ENODEV;
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return -ENOMEM;
	f->ring = kcalloc(KV_RING, sizeof(*f->ring), GFP_KERNEL_ACCOUNT);
	if (!f->ring) {
		kfree(f);
		return -ENOMEM;
	}
	f->kv = kv;
	mutex_init(&f->lock);
	INIT_LIST_HEAD(&f->bindings);
	xa_init(&f->shares);
	spin_lock_init(&f->ring_lock);
	init_waitqueue_head(&f->wait);
	get_device(&kv->dev);
	spin_lock_irq(&kv->files_lock);
	list_add_tail(&f->node, &kv->files);
	spin_unlock_irq(&kv->files_lock);
	file->private_data = f;
	return stream_open(inode, file);
}

/* Give back what the file's owner had shared and bound. */
static int kv_close(struct inode *inode, struct file *file)
{
	struct kv_file *f = file->private_data;
	struct kv_dev *kv = f->kv;

	down_read(&kv->present);
	mutex_lock(&f->lock);
	mutex_lock(&kv->lock);
	if (!kv_gone(kv))
		kv_release_all(f);
	mutex_unlock(&kv->lock);
	kv_unbind_all(f);
	mutex_unlock(&f->lock);
	up_read(&kv->present);

	spin_lock_irq(&kv->files_lock);
	list_del(&f->node);
	spin_unlock_irq(&kv->files_lock);
	xa_destroy(&f->shares);
	kfree(f->ring);
	kfree(f);
	put_device(&kv->dev);
	return 0;
}

const struct file_operations kv_fops = {
	.owner = THIS_MODULE,
	.open = kv_open,
	.release = kv_close,
	.read = kv_file_read,
	.poll = kv_file_poll,
	.mmap = kv_mmap,
	.uring_cmd = kv_uring_cmd,
	.flush = kv_file_flush,
	.unlocked_ioctl = kv_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = no_llseek,
};
