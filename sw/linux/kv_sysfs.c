// SPDX-License-Identifier: GPL-2.0
/* KV-CPU: configuration, state and counters in sysfs, one register field a file. */

#include <linux/kstrtox.h>
#include <linux/sysfs.h>

#include "kv.h"

struct kv_attribute {
	struct device_attribute attr;
	u32 offset;
	u64 mask;
};

static struct kv_dev *kv_of(struct device *dev)
{
	return container_of(dev, struct kv_dev, dev);
}

static ssize_t kv_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kv_attribute *a = container_of(attr, struct kv_attribute, attr);
	u64 value = kv_read(kv_of(dev), a->offset);

	if (kv_alive(kv_of(dev)))
		return -ENODEV;
	return sysfs_emit(buf, "%llu\n", (value & a->mask) >> __bf_shf(a->mask));
}

/* The device refuses some values at some times (a tier that is in use): then the register has not changed. */
static ssize_t kv_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	struct kv_attribute *a = container_of(attr, struct kv_attribute, attr);
	struct kv_dev *kv = kv_of(dev);
	u64 value, wanted, seen;
	int err = kstrtou64(buf, 0, &value);

	if (err)
		return err;
	if (value > a->mask >> __bf_shf(a->mask))
		return -EINVAL;
	err = mutex_lock_interruptible(&kv->lock);
	if (err)
		return err;
	wanted = (kv_read(kv, a->offset) & ~a->mask) | value << __bf_shf(a->mask);
	kv_write(kv, a->offset, wanted);
	seen = kv_read(kv, a->offset);
	mutex_unlock(&kv->lock);
	if (kv_alive(kv))
		return -ENODEV;
	return seen == wanted ? count : -EBUSY;
}

#define KV_RO(_name, _offset, _mask) \
	static struct kv_attribute kv_attr_##_name = { __ATTR(_name, 0444, kv_show, NULL), _offset, _mask }
#define KV_RW(_name, _offset, _mask) \
	static struct kv_attribute kv_attr_##_name = { __ATTR(_name, 0644, kv_show, kv_store), _offset, _mask }

KV_RO(id, KV_ID, KV_ALL_ONES);
KV_RO(version, KV_VERSION, KV_ALL_ONES);
KV_RO(caps, KV_CAPS, KV_ALL_ONES);
KV_RO(current_step, KV_STEP_ADVANCE, KV_STEP_ADVANCE_STEP);
KV_RO(status, KV_STATUS, KV_ALL_ONES);
KV_RW(enable, KV_CTRL, KV_CTRL_ENABLE);
KV_RW(demand, KV_CTRL, KV_CTRL_DEMAND);
KV_RW(weight_r, KV_WEIGHT_R, 0xff);
KV_RW(weight_f, KV_WEIGHT_F, 0xff);
KV_RW(weight_s, KV_WEIGHT_S, 0xff);
KV_RW(weight_d, KV_WEIGHT_D, 0xff);
KV_RW(evict_thresh, KV_EVICT_THRESH, 0xffff);
KV_RW(prefetch_thresh, KV_PREFETCH_THRESH, 0xffff);
KV_RW(lookahead, KV_LOOKAHEAD, KV_ALL_ONES >> 33);
KV_RW(hold, KV_HOLD, KV_ALL_ONES >> 33);
KV_RW(promote_tier, KV_PROMOTE_TIER, 3);
KV_RW(evict_tiers, KV_EVICT_TIERS, 0xf);
KV_RW(block_bytes, KV_BLOCK_BYTES, 0x1ffff);
KV_RW(max_retry, KV_MAX_RETRY, 0xff);
KV_RW(r_shift, KV_R_SHIFT, KV_R_SHIFT_SHIFT);
KV_RW(f_age, KV_F_AGE, KV_F_AGE_AGE);

static ssize_t interrupts_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", READ_ONCE(kv_of(dev)->interrupts));
}
static DEVICE_ATTR_RO(interrupts);

static ssize_t reset_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	int err;

	if (!sysfs_streq(buf, "1"))
		return -EINVAL;
	err = kv_reset(kv_of(dev));
	return err ?: count;
}
static DEVICE_ATTR_WO(reset);

static struct attribute *kv_main_attributes[] = {
	&kv_attr_id.attr.attr,
	&kv_attr_version.attr.attr,
	&kv_attr_caps.attr.attr,
	&kv_attr_current_step.attr.attr,
	&kv_attr_status.attr.attr,
	&kv_attr_enable.attr.attr,
	&kv_attr_demand.attr.attr,
	&kv_attr_weight_r.attr.attr,
	&kv_attr_weight_f.attr.attr,
	&kv_attr_weight_s.attr.attr,
	&kv_attr_weight_d.attr.attr,
	&kv_attr_evict_thresh.attr.attr,
	&kv_attr_prefetch_thresh.attr.attr,
	&kv_attr_lookahead.attr.attr,
	&kv_attr_hold.attr.attr,
	&kv_attr_promote_tier.attr.attr,
	&kv_attr_evict_tiers.attr.attr,
	&kv_attr_block_bytes.attr.attr,
	&kv_attr_max_retry.attr.attr,
	&kv_attr_r_shift.attr.attr,
	&kv_attr_f_age.attr.attr,
	&dev_attr_interrupts.attr,
	&dev_attr_reset.attr,
	NULL
};

#define KV_COUNTER(_name, _offset) KV_RO(_name, _offset, KV_ALL_ONES);
KV_COUNTERS(KV_COUNTER)

#define KV_COUNTER_ENTRY(_name, _offset) &kv_attr_##_name.attr.attr,
static struct attribute *kv_counter_attributes[] = {
	KV_COUNTERS(KV_COUNTER_ENTRY)
	NULL
};

#define KV_TIER(_n) \
	KV_RW(tier##_n##_base, KV_TIER##_n##_BASE, KV_ALL_ONES); \
	KV_RW(tier##_n##_slots, KV_TIER##_n##_SLOTS, 0x1ffff); \
	KV_RW(tier##_n##_reserve, KV_TIER##_n##_RESERVE, 0x1ffff); \
	KV_RW(tier##_n##_low, KV_TIER##_n##_LOW, 0x1ffff); \
	KV_RW(tier##_n##_high, KV_TIER##_n##_HIGH, 0x1ffff); \
	KV_RO(tier##_n##_free, KV_TIER##_n##_FREE, 0x1ffff); \
	KV_RO(tier##_n##_auto_thresh, KV_TIER##_n##_AUTO_THRESH, 0xffff)
KV_TIER(0);
KV_TIER(1);
KV_TIER(2);
KV_TIER(3);

#define KV_TIER_ENTRY(_n) \
	&kv_attr_tier##_n##_base.attr.attr, &kv_attr_tier##_n##_slots.attr.attr, \
	&kv_attr_tier##_n##_reserve.attr.attr, &kv_attr_tier##_n##_low.attr.attr, \
	&kv_attr_tier##_n##_high.attr.attr, &kv_attr_tier##_n##_free.attr.attr, \
	&kv_attr_tier##_n##_auto_thresh.attr.attr
static struct attribute *kv_tier_attributes[] = {
	KV_TIER_ENTRY(0), KV_TIER_ENTRY(1), KV_TIER_ENTRY(2), KV_TIER_ENTRY(3), NULL
};

static const struct attribute_group kv_main_group = { .attrs = kv_main_attributes };
static const struct attribute_group kv_counter_group = { .name = "counters", .attrs = kv_counter_attributes };
static const struct attribute_group kv_tier_group = { .name = "tiers", .attrs = kv_tier_attributes };

const struct attribute_group *kv_groups[] = { &kv_main_group, &kv_counter_group, &kv_tier_group, NULL };
