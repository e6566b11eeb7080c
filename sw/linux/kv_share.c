// SPDX-License-Identifier: GPL-2.0
/*
 * KV-CPU: references that a file has on blocks. The device counts references; the file remembers which are its own, so
 * that it gives back exactly those. An index is a block: KV address / tokens of a block.
 *
 * The map changes with kv->lock held, so that a reset, which has that lock only, may empty it.
 */

#include "kv.h"

static unsigned long kv_index(struct kv_dev *kv, u64 kv_addr)
{
	return kv_addr >> kv->block_shift;
}

static unsigned long kv_held(struct kv_file *f, unsigned long index)
{
	void *entry = xa_load(&f->shares, index);

	return entry ? xa_to_value(entry) : 0;
}

/* Is the block in the directory? 1, 0, or an error. */
static int kv_present(struct kv_dev *kv, unsigned long index)
{
	struct kv_result result;
	int err = kv_directory(kv, KV_CMD_LOOKUP, (u64)index << kv->block_shift, 0, &result);

	if (err)
		return err;
	return result.status == KV_RESULT_OK;
}

static int kv_reserve(struct kv_file *f, unsigned long first, unsigned long last)
{
	unsigned long index;
	int err = 0;

	for (index = first; index <= last && !err; index++)
		err = xa_reserve(&f->shares, index, GFP_KERNEL_ACCOUNT);
	if (err)
		for (; index > first; index--)
			xa_release(&f->shares, index - 1);
	return err;
}

/*
 * One more reference to each block of the range. Blocks that are not in the directory get none, and the device tells
 * only how many: where there are such, each block is looked up.
 */
int kv_share(struct kv_file *f, u64 first, u64 tokens)
{
	struct kv_dev *kv = f->kv;
	unsigned long low = kv_index(kv, first), high = kv_index(kv, first + tokens - 1), index;
	u64 misses;
	int err, there = 1;

	lockdep_assert_held(&f->lock);
	lockdep_assert_held(&kv->lock);
	err = kv_reserve(f, low, high);
	if (err)
		return err;
	err = kv_drain(kv);
	misses = kv_read(kv, KV_HINT_MISS_COUNT);
	if (!err)
		err = kv_range(kv, KV_RANGE_SHARE, first, tokens, 0);
	if (!err)
		err = kv_drain(kv);
	misses = kv_read(kv, KV_HINT_MISS_COUNT) - misses;
	for (index = low; index <= high; index++) {
		if (!err && misses) {
			there = kv_present(kv, index);
			if (there < 0)
				err = there;
		}
		if (!err && there > 0)
			xa_store(&f->shares, index, xa_mk_value(kv_held(f, index) + 1), GFP_ATOMIC);
		else
			xa_release(&f->shares, index);
	}
	return err;
}

/* Take one reference of this file from each block from @low to @high, all of which it has. */
static int kv_give_back(struct kv_file *f, unsigned long low, unsigned long high)
{
	struct kv_dev *kv = f->kv;
	unsigned long index, held;
	int err = kv_range(kv, KV_RANGE_RELEASE, (u64)low << kv->block_shift,
			   (u64)(high - low + 1) * kv->block_tokens, 0);

	if (err)
		return err;
	for (index = low; index <= high; index++) {
		held = kv_held(f, index);
		if (held > 1)
			xa_store(&f->shares, index, xa_mk_value(held - 1), GFP_ATOMIC);
		else
			xa_erase(&f->shares, index);
	}
	return 0;
}

/* Give back one reference to each block of the range on which this file has one; the others are misses. */
int kv_release(struct kv_file *f, u64 first, u64 tokens, u64 *misses)
{
	struct kv_dev *kv = f->kv;
	unsigned long index = kv_index(kv, first), high = kv_index(kv, first + tokens - 1), low;
	int err;

	lockdep_assert_held(&f->lock);
	lockdep_assert_held(&kv->lock);
	while (index <= high) {
		if (!kv_held(f, index)) {
			(*misses)++;
			index++;
			continue;
		}
		for (low = index; index <= high && kv_held(f, index); index++)
			;
		err = kv_give_back(f, low, index - 1);
		if (err)
			return err;
	}
	return 0;
}

/* The file is closed. */
void kv_release_all(struct kv_file *f)
{
	unsigned long index = 0, low, room, most = BIT_ULL(32) >> f->kv->block_shift;
	void *entry;

	lockdep_assert_held(&f->lock);
	lockdep_assert_held(&f->kv->lock);
	while ((entry = xa_find(&f->shares, &index, ULONG_MAX, XA_PRESENT))) {
		low = index;
		/* neighbours inside the device's limit, of one request, layer and head */
		room = min_t(unsigned long, f->kv->entries, most - (low & (most - 1)));
		while (index - low + 1 < room && kv_held(f, index + 1))
			index++;
		if (kv_give_back(f, low, index))
			break; /* the device is lost or was reset: there is nothing left to give back */
		index = 0;
	}
}

/* The device was reset, and with it went every reference. */
void kv_forget_shares(struct kv_dev *kv)
{
	struct kv_file *f;

	lockdep_assert_held(&kv->lock);
	spin_lock_irq(&kv->files_lock);
	list_for_each_entry(f, &kv->files, node)
		xa_destroy(&f->shares);
	spin_unlock_irq(&kv->files_lock);
}
