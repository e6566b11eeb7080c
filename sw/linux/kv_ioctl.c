// SPDX-License-Identifier: GPL-2.0
/* KV-CPU: the requests of the node, and what may be mapped. */

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "kv.h"

struct kv_hint {
	enum kv_range what;
	u32 step;
	u64 misses;
	unsigned int sent;
};

/* One run of neighbouring blocks, in pieces that the device takes. */
static int kv_hint_run(struct kv_file *f, u64 first, u64 tokens, void *context)
{
	struct kv_hint *hint = context;
	struct kv_dev *kv = f->kv;
	u64 most = (u64)kv->entries * kv->block_tokens, piece;
	int err = 0;

	for (; tokens && !err; first += piece, tokens -= piece) {
		piece = min(tokens, most);
		if (hint->sent && signal_pending(current))
			return -EINTR;
		err = mutex_lock_interruptible(&kv->lock);
		if (err)
			return hint->sent ? -EINTR : -ERESTARTSYS;
		if (hint->what == KV_RANGE_SHARE)
			err = kv_share(f, first, piece);
		else if (hint->what == KV_RANGE_RELEASE)
			err = kv_release(f, first, piece, &hint->misses);
		else
			err = kv_range(kv, hint->what, first, piece, hint->step);
		mutex_unlock(&kv->lock);
		hint->sent++;
	}
	return err;
}

static int kv_hint(struct kv_file *f, enum kv_range what, const struct kvcpu_range *arg)
{
	struct kv_hint hint = { .what = what, .step = arg->target_step };
	struct kvcpu_telemetry *counts = &f->counts;
	u64 block_bytes;
	int err;

	if (!arg->len || arg->va + arg->len - 1 < arg->va || arg->target_step > U32_MAX)
		return -EINVAL;
	block_bytes = kv_read(f->kv, KV_BLOCK_BYTES);
	if (kv_alive(f->kv))
		return -ENODEV;
	err = kv_resolve(f, arg->va, arg->len, block_bytes, kv_hint_run, &hint, &hint.misses);
	if (err)
		return err;
	f->hint_misses += hint.misses;
	switch (what) {
	case KV_RANGE_HOT:
		counts->hot_count++;
		break;
	case KV_RANGE_EVICT:
		counts->evict_count++;
		break;
	case KV_RANGE_PREFETCH:
		counts->prefetch_count++;
		break;
	case KV_RANGE_SHARE:
		counts->share_count++;
		break;
	default:
		return 0;
	}
	counts->last_va = arg->va;
	counts->last_len = arg->len;
	counts->last_target_step = arg->target_step;
	return 0;
}

static int kv_step(struct kv_file *f, const struct kvcpu_step *arg)
{
	struct kv_dev *kv = f->kv;

	if (arg->step > U32_MAX)
		return -EINVAL;
	WRITE_ONCE(kv->step_ns, ktime_get_ns());
	kv_write(kv, KV_STEP_ADVANCE, arg->step);
	kv_flush(kv);
	if (kv_alive(kv))
		return -ENODEV;
	WRITE_ONCE(kv->step, arg->step);
	f->counts.step_count++;
	return 0;
}

/* Both thresholds at once: no order of two writes could be refused half-way. */
static int kv_set_weights(struct kv_file *f, const struct kvcpu_weights *w)
{
	struct kv_dev *kv = f->kv;
	int err;

	if (w->w_r > 255 || w->w_f > 255 || w->w_s > 255 || w->w_d > 255 || w->evict_thresh > 65535 ||
	    w->prefetch_thresh > 65535 || w->evict_thresh > w->prefetch_thresh)
		return -EINVAL;
	err = mutex_lock_interruptible(&kv->lock);
	if (err)
		return err;
	kv_write(kv, KV_WEIGHT_R, w->w_r);
	kv_write(kv, KV_WEIGHT_F, w->w_f);
	kv_write(kv, KV_WEIGHT_S, w->w_s);
	kv_write(kv, KV_WEIGHT_D, w->w_d);
	kv_write(kv, KV_THRESHOLDS, FIELD_PREP(KV_THRESHOLDS_PREFETCH, w->prefetch_thresh) |
				    FIELD_PREP(KV_THRESHOLDS_EVICT, w->evict_thresh));
	kv_flush(kv);
	mutex_unlock(&kv->lock);
	return kv_alive(kv);
}

static int kv_telemetry(struct kv_file *f, struct kvcpu_telemetry *t)
{
	struct kv_dev *kv = f->kv;
	int err = mutex_lock_interruptible(&kv->lock);

	if (err)
		return err;
	*t = f->counts;
	t->current_step = kv_read(kv, KV_STEP_ADVANCE);
	t->w_r = kv_read(kv, KV_WEIGHT_R);
	t->w_f = kv_read(kv, KV_WEIGHT_F);
	t->w_s = kv_read(kv, KV_WEIGHT_S);
	t->w_d = kv_read(kv, KV_WEIGHT_D);
	t->evict_thresh = kv_read(kv, KV_EVICT_THRESH);
	t->prefetch_thresh = kv_read(kv, KV_PREFETCH_THRESH);
	mutex_unlock(&kv->lock);
	return kv_alive(kv);
}

static int kv_command(struct kv_dev *kv, unsigned int command, u64 kv_addr, u64 arg, struct kv_result *result)
{
	int err = mutex_lock_interruptible(&kv->lock);

	if (err)
		return err;
	err = kv_directory(kv, command, kv_addr, arg, result);
	mutex_unlock(&kv->lock);
	return err ?: kv_errno(result->status);
}

static int kv_insert(struct kv_dev *kv, struct kvcpu_insert *arg)
{
	struct kv_result result;
	int err;

	if (arg->tier > 3 || arg->flags & ~(KVCPU_INSERT_PREFIX | KVCPU_INSERT_HOT) || arg->reserved || arg->reserved2)
		return -EINVAL;
	err = kv_command(kv, KV_CMD_INSERT, kv_block_address(arg->token, arg->request, arg->layer, arg->head),
			 FIELD_PREP(KV_DIR_ARG_TOKEN_END, arg->token_end) | FIELD_PREP(KV_DIR_ARG_TIER, arg->tier) |
			 FIELD_PREP(KV_DIR_ARG_PREFIX, arg->flags & KVCPU_INSERT_PREFIX ? 1 : 0) |
			 FIELD_PREP(KV_DIR_ARG_HOT, arg->flags & KVCPU_INSERT_HOT ? 1 : 0), &result);
	arg->phys_addr = err ? 0 : result.phys_addr;
	arg->index = err ? 0 : result.index;
	return err;
}

static int kv_lookup(struct kv_dev *kv, struct kvcpu_lookup *arg)
{
	struct kv_result result;
	int err;

	if (arg->flags & ~KVCPU_LOOKUP_TOUCH || arg->reserved)
		return -EINVAL;
	err = kv_command(kv, KV_CMD_LOOKUP, kv_block_address(arg->token, arg->request, arg->layer, arg->head),
			 FIELD_PREP(KV_DIR_ARG_TOUCH, arg->flags & KVCPU_LOOKUP_TOUCH ? 1 : 0), &result);
	arg->tier = err ? 0 : result.tier;
	arg->phys_addr = err ? 0 : result.phys_addr;
	arg->index = err ? 0 : result.index;
	return err;
}

static int kv_remove_block(struct kv_dev *kv, struct kvcpu_block *arg)
{
	struct kv_result result;

	return kv_command(kv, KV_CMD_REMOVE, kv_block_address(arg->token, arg->request, arg->layer, arg->head), 0,
			  &result);
}

static int kv_free_request(struct kv_dev *kv, struct kvcpu_free *arg)
{
	struct kv_result result;
	int err;

	if (!arg->request || arg->request > U16_MAX || arg->reserved)
		return -EINVAL;
	err = kv_command(kv, KV_CMD_FREE_REQUEST, kv_block_address(0, arg->request, 0, 0), 0, &result);
	arg->removed = err ? 0 : result.removed;
	arg->stayed = err ? 0 : result.stayed;
	return err;
}

static int kv_migrate(struct kv_dev *kv, struct kvcpu_migrate *arg)
{
	struct kv_result result;

	if (arg->tier > 3 || arg->reserved)
		return -EINVAL;
	return kv_command(kv, KV_CMD_MIGRATE, kv_block_address(arg->token, arg->request, arg->layer, arg->head),
			  FIELD_PREP(KV_DIR_ARG_TIER, arg->tier), &result);
}

union kv_argument {
	struct kvcpu_step step;
	struct kvcpu_range range;
	struct kvcpu_weights weights;
	struct kvcpu_telemetry telemetry;
	struct kvcpu_bind bind;
	struct kvcpu_unbind unbind;
	struct kvcpu_block block;
	struct kvcpu_insert insert;
	struct kvcpu_lookup lookup;
	struct kvcpu_free free;
	struct kvcpu_migrate migrate;
};

static bool kv_known(unsigned int request)
{
	switch (request) {
	case KVCPU_IOC_STEP_ADVANCE:
	case KVCPU_IOC_MARK_HOT:
	case KVCPU_IOC_EVICT:
	case KVCPU_IOC_PREFETCH:
	case KVCPU_IOC_SHARE_PREFIX:
	case KVCPU_IOC_SET_WEIGHTS:
	case KVCPU_IOC_GET_TELEMETRY:
	case KVCPU_IOC_BIND:
	case KVCPU_IOC_UNBIND:
	case KVCPU_IOC_COOL:
	case KVCPU_IOC_RELEASE:
	case KVCPU_IOC_INSERT:
	case KVCPU_IOC_LOOKUP:
	case KVCPU_IOC_REMOVE:
	case KVCPU_IOC_FREE_REQUEST:
	case KVCPU_IOC_MIGRATE:
		return true;
	default:
		return false;
	}
}

static int kv_request(struct kv_file *f, unsigned int request, union kv_argument *arg)
{
	switch (request) {
	case KVCPU_IOC_STEP_ADVANCE:
		return kv_step(f, &arg->step);
	case KVCPU_IOC_MARK_HOT:
		return kv_hint(f, KV_RANGE_HOT, &arg->range);
	case KVCPU_IOC_EVICT:
		return kv_hint(f, KV_RANGE_EVICT, &arg->range);
	case KVCPU_IOC_PREFETCH:
		return kv_hint(f, KV_RANGE_PREFETCH, &arg->range);
	case KVCPU_IOC_SHARE_PREFIX:
		return kv_hint(f, KV_RANGE_SHARE, &arg->range);
	case KVCPU_IOC_COOL:
		return kv_hint(f, KV_RANGE_COOL, &arg->range);
	case KVCPU_IOC_RELEASE:
		return kv_hint(f, KV_RANGE_RELEASE, &arg->range);
	case KVCPU_IOC_SET_WEIGHTS:
		return kv_set_weights(f, &arg->weights);
	case KVCPU_IOC_GET_TELEMETRY:
		return kv_telemetry(f, &arg->telemetry);
	case KVCPU_IOC_BIND:
		return kv_bind(f, &arg->bind, kv_read(f->kv, KV_BLOCK_BYTES));
	case KVCPU_IOC_UNBIND:
		return kv_unbind(f, arg->unbind.va);
	case KVCPU_IOC_INSERT:
		return kv_insert(f->kv, &arg->insert);
	case KVCPU_IOC_LOOKUP:
		return kv_lookup(f->kv, &arg->lookup);
	case KVCPU_IOC_REMOVE:
		return kv_remove_block(f->kv, &arg->block);
	case KVCPU_IOC_FREE_REQUEST:
		return kv_free_request(f->kv, &arg->free);
	default:
		return kv_migrate(f->kv, &arg->migrate);
	}
}

/* A request of a file on a device that is there. */
static int kv_locked_request(struct kv_file *f, unsigned int request, union kv_argument *arg)
{
	int err;

	down_read(&f->kv->present);
	err = kv_alive(f->kv);
	if (!err)
		err = mutex_lock_interruptible(&f->lock) ? -ERESTARTSYS : 0;
	if (!err) {
		err = kv_request(f, request, arg);
		mutex_unlock(&f->lock);
	}
	up_read(&f->kv->present);
	return err;
}

long kv_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	struct kv_file *f = file->private_data;
	void __user *user = (void __user *)argument;
	union kv_argument arg = {};
	long err;

	if (!kv_known(request))
		return -ENOTTY;
	if (_IOC_DIR(request) & _IOC_WRITE && copy_from_user(&arg, user, _IOC_SIZE(request)))
		return -EFAULT;
	if (_IOC_DIR(request) == _IOC_READ && !access_ok(user, _IOC_SIZE(request)))
		return -EFAULT;
	err = kv_locked_request(f, request, &arg);
	if (!err && _IOC_DIR(request) & _IOC_READ && copy_to_user(user, &arg, _IOC_SIZE(request)))
		return -EFAULT;
	return err;
}

static void kv_change_flags(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

#ifdef MADV_KV_HOT
/* What the range calls do to the same range. A prefetch has no step to name: it is for the current one. */
static int kv_madvise(struct vm_area_struct *vma, unsigned long start, unsigned long end, int behavior)
{
	struct kv_file *f = vma->vm_file->private_data;
	union kv_argument arg = { .range = { .va = start, .len = end - start } };

	switch (behavior) {
	case MADV_KV_HOT:
		return kv_locked_request(f, KVCPU_IOC_MARK_HOT, &arg);
	case MADV_KV_EVICT:
		return kv_locked_request(f, KVCPU_IOC_EVICT, &arg);
	default:
		arg.range.target_step = READ_ONCE(f->kv->step);
		return kv_locked_request(f, KVCPU_IOC_PREFETCH, &arg);
	}
}

static const struct vm_operations_struct kv_hint_vm_ops = {
	.madvise = kv_madvise,
};
#endif

/* Addresses without memory. A kernel without the patch of madvise() has no use for them. */
static int kv_map_hints(struct vm_area_struct *vma)
{
#ifdef MADV_KV_HOT
	if (vma->vm_flags & VM_ACCESS_FLAGS)
		return -EACCES;
	kv_change_flags(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_ops = &kv_hint_vm_ops;
	return 0;
#else
	return -EINVAL;
#endif
}

/*
 * Offset 0: the first page of BAR0, for STEP_ADVANCE; it holds other registers, too, so only for an administrator.
 * From KV_BAR0_BYTES on: the directory window, read-only. From KVCPU_MAP_HINTS on: addresses for madvise().
 */
int kv_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct kv_file *f = file->private_data;
	u64 size = vma->vm_end - vma->vm_start, offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 window = (u64)f->kv->entries * KV_ENTRY_STRIDE;

	if (kv_gone(f->kv))
		return -ENODEV;
	if (offset >= KVCPU_MAP_HINTS)
		return kv_map_hints(vma);
	if (offset < KV_BAR0_BYTES) {
		if (offset || size != PAGE_SIZE)
			return -EINVAL;
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
	} else {
		offset -= KV_BAR0_BYTES;
		if (offset >= window || size > window - offset)
			return -EINVAL;
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		kv_change_flags(vma, 0, VM_MAYWRITE);
	}
#ifdef HAVE_PCI_MMAP
	if (!f->kv->pdev)
		return -ENODEV;
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	return io_remap_pfn_range(vma, vma->vm_start,
				  (pci_resource_start(f->kv->pdev, (vma->vm_pgoff << PAGE_SHIFT) < KV_BAR0_BYTES ? 0 : 2) +
				   offset) >> PAGE_SHIFT, size, vma->vm_page_prot);
#else
	return -ENODEV; /* registers are not memory on this architecture (User Mode Linux) */
#endif
}
