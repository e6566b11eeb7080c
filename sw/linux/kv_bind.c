// SPDX-License-Identifier: GPL-2.0
/* KV-CPU: which block a byte of a process's address space belongs to. */

#include <linux/math64.h>
#include <linux/slab.h>

#include "kv.h"

#define KV_TOKENS BIT_ULL(32)

int kv_bind(struct kv_file *f, const struct kvcpu_bind *arg, u64 block_bytes)
{
	struct kv_binding *b, *other;
	struct list_head *after = &f->bindings;
	u64 blocks;

	lockdep_assert_held(&f->lock);
	if (kv_alive(f->kv))
		return -ENODEV;
	if (!arg->len || arg->va + arg->len - 1 < arg->va || arg->token % f->kv->block_tokens)
		return -EINVAL;
	blocks = div64_u64(arg->len - 1, block_bytes) + 1;
	if (blocks > KV_TOKENS || arg->token + blocks * f->kv->block_tokens > KV_TOKENS)
		return -EINVAL;
	list_for_each_entry(other, &f->bindings, node) {
		if (arg->va <= other->va + other->len - 1 && other->va <= arg->va + arg->len - 1)
			return -EINVAL;
		if (other->va < arg->va)
			after = &other->node;
	}
	if (f->binding_count >= KV_MAX_BINDINGS)
		return -ENOSPC;
	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	b->va = arg->va;
	b->len = arg->len;
	b->first = kv_block_address(arg->token, arg->request, arg->layer, arg->head);
	list_add(&b->node, after);
	f->binding_count++;
	return 0;
}

static void kv_drop(struct kv_file *f, struct kv_binding *b)
{
	list_del(&b->node);
	f->binding_count--;
	kfree(b);
}

int kv_unbind(struct kv_file *f, u64 va)
{
	struct kv_binding *b;

	lockdep_assert_held(&f->lock);
	list_for_each_entry(b, &f->bindings, node) {
		if (b->va == va) {
			kv_drop(f, b);
			return 0;
		}
	}
	return -EINVAL;
}

void kv_unbind_all(struct kv_file *f)
{
	struct kv_binding *b, *next;

	lockdep_assert_held(&f->lock);
	list_for_each_entry_safe(b, next, &f->bindings, node)
		kv_drop(f, b);
}

/*
 * Call @fn for each run of neighbouring blocks of which the range touches a byte, in the order of the bytes; runs of
 * bound ranges that follow each other are one. @misses grows by the units of BLOCK_BYTES that are not bound.
 */
int kv_resolve(struct kv_file *f, u64 va, u64 len, u64 block_bytes, kv_run_fn fn, void *context, u64 *misses)
{
	u64 last = va + len - 1, position = va, low, high, first, tokens, run = 0, run_tokens = 0;
	u32 size = f->kv->block_tokens;
	struct kv_binding *b;
	bool covered = false;
	int err;

	lockdep_assert_held(&f->lock);
	list_for_each_entry(b, &f->bindings, node) {
		if (b->va > last || b->va + b->len - 1 < position)
			continue;
		if (position < b->va) {
			*misses += div64_u64(b->va - position - 1, block_bytes) + 1;
			position = b->va;
		}
		low = div64_u64(position - b->va, block_bytes);
		high = div64_u64(min(last, b->va + b->len - 1) - b->va, block_bytes);
		first = b->first + low * size;
		tokens = (high - low + 1) * size;
		if (run_tokens && run + run_tokens == first && lower_32_bits(first)) {
			run_tokens += tokens;
		} else {
			if (run_tokens) {
				err = fn(f, run, run_tokens, context);
				if (err)
					return err;
			}
			run = first;
			run_tokens = tokens;
		}
		covered = b->va + b->len - 1 >= last;
		if (covered)
			break;
		position = b->va + b->len;
	}
	if (!covered)
		*misses += div64_u64(last - position, block_bytes) + 1;
	return run_tokens ? fn(f, run, run_tokens, context) : 0;
}
